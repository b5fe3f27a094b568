import { Cluster, Redis } from 'ioredis';
import {
  describeWithServer,
  type RedisCluster,
  type RedisReplicas,
  startRedisCluster,
  startRedisReplicas,
  startSentinel,
} from './servers';
import { startOf } from './servers/processes';

describeWithServer('redis', 'startRedisReplicas()', () => {
  test('replicas have what the leader was given, and leave nothing', async () => {
    const servers = await startRedisReplicas({ password: 'secret' });
    await expectReplication(servers, 2);
    await servers.stop();
    for (const { pid } of [servers.leader, ...servers.replicas]) {
      expect(startOf(pid)).toBeUndefined();
    }
  });

  test('replicas log in as a user', async () => {
    const servers = await startRedisReplicas({
      replicas: 1,
      user: { name: 'ann', password: 'secret' },
    });
    await expectReplication(servers, 1);
    await servers.stop();
  });
});

describeWithServer('redis', 'startRedisCluster()', () => {
  let cluster: RedisCluster;
  let client: Cluster;

  beforeAll(async () => {
    cluster = await startRedisCluster();
    client = new Cluster([...cluster.urls]);
  });

  afterAll(async () => {
    client?.disconnect();
    await cluster?.stop();
    for (const { pid } of cluster?.nodes ?? []) expect(startOf(pid)).toBeUndefined();
  });

  test('spreads keys over three masters', async () => {
    for (let i = 0; i < 30; i += 1) await client.set(`key${i}`, i);
    const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()));
    expect(sizes).toHaveLength(3);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes.reduce((a, b) => a + b)).toBe(30);
  });

  test('moveSlot() takes the keys along', async () => {
    const slot = await client.cluster('KEYSLOT', 'moved');
    const from = Math.floor((slot * 3) / 16_384);
    const [source, target] = [cluster.nodes[from]!, cluster.nodes[(from + 1) % 3]!];
    await client.set('moved', 'along');
    await cluster.moveSlot(slot, source, target);
    const direct = new Redis(target.url);
    expect(await direct.get('moved')).toBe('along');
    direct.disconnect();
    expect(await client.get('moved')).toBe('along');
  });
});

describeWithServer('redis', 'startSentinel()', () => {
  test('hands over to the replica when the leader dies', async () => {
    const servers = await startSentinel({ downAfterMs: 500 });
    const client = new Redis({
      sentinels: servers.sentinels.map(({ host, port }) => ({ host, port })),
      name: servers.name,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => {});
    const port = async () => (await client.config('GET', 'port')) as string[];
    expect(await port()).toEqual(['port', String(servers.leader.port)]);
    await servers.leader.kill();
    expect(await port()).toEqual(['port', String(servers.replicas[0]!.port)]);
    await client.set('written', 'again');
    client.disconnect();
    await servers.stop();
    for (const { pid } of [...servers.sentinels, ...servers.replicas]) {
      expect(startOf(pid)).toBeUndefined();
    }
  });
});

async function expectReplication({ leader, replicas }: RedisReplicas, count: number) {
  expect(replicas).toHaveLength(count);
  const writer = new Redis(leader.url);
  await writer.set('key', 'value');
  expect(await writer.wait(count, 0)).toBe(count);
  writer.disconnect();
  for (const { url } of replicas) {
    const reader = new Redis(url);
    expect(await reader.get('key')).toBe('value');
    await expect(reader.set('key', 'mine')).rejects.toThrow('READONLY');
    reader.disconnect();
  }
}
