import { EventEmitter } from 'node:events';
import { RedisCache } from 'cachewright';
import { RedisConnection } from '../../../src/backends/redis/connection';
import { eventually } from '../../support/eventually';
import { recordingProxy } from '../../support/recording-proxy';
import {
  describeWithServer,
  type RedisServer,
  startRedis,
  startRedisReplicas,
} from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';
import { UNHURRIED } from '../../support/unhurried';

const NAMES = ['all', 't.a'];
const KEYS = NAMES.map((name) => `:1:cachewright.tag.${name}`);

const opened: RedisCache[] = [];
const running: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

function open(url: string): RedisCache {
  const cache = new RedisCache(url, { options: UNHURRIED });
  opened.push(cache);
  return cache;
}

/** What an entry bears that is made now. */
async function entryOf({ tags }: RedisCache) {
  const counters = await tags.confirm(await tags.note(NAMES), []);
  if (counters === undefined) throw new Error('Purged meanwhile.');
  return counters;
}

const countersOn = (server: RedisServer) => askRedis(server, 'MGET', ...KEYS);

describeWithServer('redis', 'the history of the data on a Redis', () => {
  test('is another once a replica is promoted, and entries of before are purged', async () => {
    const servers = await startRedisReplicas({ replicas: 1 });
    running.push(servers);
    const [replica] = servers.replicas as [RedisServer];
    const before = open(servers.leader.url);
    const entry = await entryOf(before);
    await before.set('tagged', 'value', 600, { tags: ['a'] });
    expect(await before.get('tagged')).toBe('value');
    const counters = await countersOn(servers.leader);
    await eventually(async () => expect(await askRedis(replica, 'EXISTS', ':1:tagged')).toBe(1));
    expect(await countersOn(replica)).toEqual(counters);
    expect(await open(replica.url).tags.check(entry)).toBe('valid');
    await askRedis(replica, 'REPLICAOF', 'NO', 'ONE');
    const promoted = open(replica.url);
    expect(await promoted.tags.check(entry)).toBe('purged');
    expect(await promoted.get('tagged')).toBeUndefined();
    expect(await countersOn(replica)).toEqual(counters);
    expect(await promoted.tags.check(await entryOf(promoted))).toBe('valid');
    expect(await open(servers.leader.url).tags.check(entry)).toBe('valid');
  });

  test('is another once it is started again from a copy, also over a cache that was open', async () => {
    const server = await startRedis();
    running.push(server);
    const cache = open(server.url);
    const entry = await entryOf(cache);
    expect(await cache.tags.check(entry)).toBe('valid');
    const counters = await countersOn(server);
    await askRedis(server, 'SAVE');
    await cache.tags.purge(['t.a'], 'hard', true);
    await server.restart();
    expect(await countersOn(server)).toEqual(counters);
    expect(await eventually(() => cache.tags.check(entry))).toBe('purged');
    expect(await cache.tags.check(await entryOf(cache))).toBe('valid');
  });

  test('is asked for with the first counters, and not with each', async () => {
    const server = await startRedis();
    const proxy = await recordingProxy(server);
    running.push({ stop: () => proxy.close() }, server);
    const cache = open(proxy.url);
    const entry = await entryOf(cache);
    for (let i = 0; i < 5; i += 1) expect(await cache.tags.check(entry)).toBe('valid');
    expect(proxy.sent().split('\r\ninfo\r\n$11\r\nreplication').length - 1).toBe(1);
  });

  test('is none for a user who may not ask, whose purges hold all the same', async () => {
    const server = await startRedis();
    running.push(server);
    // In which ioredis tells that it may not, either.
    jest.spyOn(console, 'warn').mockImplementation();
    await askRedis(server, 'ACL', 'SETUSER', 'ann', 'on', '>pw', '~*', '+@all', '-info');
    const cache = open(server.url.replace('//', '//ann:pw@'));
    const entry = await entryOf(cache);
    expect(await cache.tags.check(entry)).toBe('valid');
    await cache.tags.purge(['t.a'], 'hard', true);
    expect(await cache.tags.check(entry)).toBe('purged');
  });
});

describe('RedisConnection.withHistory()', () => {
  /** A client whose server has this id. */
  function connectionTo(server: { id: string; isAway?: boolean }) {
    let calls = 0;
    const client = Object.assign(new EventEmitter(), {
      status: 'ready',
      call: async () => {
        calls += 1;
        if (server.isAway) throw new Error('Connection is closed.');
        return `role:master\r\nmaster_replid:${server.id}\r\n`;
      },
    });
    const connection = new RedisConnection(client as never, false);
    const history = async () => (await connection.withHistory(async () => 'answer'))[1];
    return { client, connection, history, calls: () => calls };
  }

  test('asks again on another connection, and after half a minute', async () => {
    const server = { id: 'a' };
    const { client, history, calls } = connectionTo(server);
    const ofA = await history();
    server.id = 'b';
    expect([await history(), calls()]).toEqual([ofA, 1]);
    client.emit('close');
    const ofB = await history();
    expect(ofB).not.toBe(ofA);
    server.id = 'a';
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + 29_000);
    expect(await history()).toBe(ofB);
    jest.spyOn(performance, 'now').mockReturnValue(now + 31_000);
    expect([await history(), calls()]).toEqual([ofA, 3]);
  });

  test('rejects an answer of a connection that was lost meanwhile', async () => {
    const { client, connection } = connectionTo({ id: 'a' });
    const work = async () => {
      client.emit('close');
      return 'answer';
    };
    await expect(connection.withHistory(work)).rejects.toMatchObject({ reason: 'refused' });
  });

  test('asks anew once it was not told', async () => {
    const server = { id: 'a', isAway: true };
    const { history } = connectionTo(server);
    await expect(history()).rejects.toThrow('Connection is closed.');
    server.isAway = false;
    expect(await history()).toBeGreaterThan(0);
  });

  test('is 0 for a server that tells no id', async () => {
    const { connection, client } = connectionTo({ id: 'a' });
    client.call = async () => 'role:master\r\n';
    expect(await connection.withHistory(async () => 'answer')).toEqual(['answer', 0]);
  });
});
