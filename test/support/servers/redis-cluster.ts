import { freePort } from './free-port';
import { type RedisServer, type RedisServerOptions, startRedis } from './redis';
import { askRedis, untilRedisSays } from './redis-client';

const SLOTS = 16_384;

/** A cluster of masters. */
export interface RedisCluster {
  /** Each has an equal share of the slots, in their order. */
  readonly nodes: readonly RedisServer[];
  readonly urls: readonly string[];
  /** Gives a slot with its keys to another node, as resharding does it. */
  moveSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void>;
  /** Stops them all. */
  stop(): Promise<void>;
}

/** Starts a cluster of masters, and waits until each of them finds it complete. */
export async function startRedisCluster({
  masters = 3,
  ...options
}: Pick<RedisServerOptions, 'config'> & { readonly masters?: number } = {}): Promise<RedisCluster> {
  const members = await Promise.all(Array.from({ length: masters }, () => startMember(options)));
  const nodes = members.map(({ node }) => node);
  for (const [i, { node }] of members.entries()) {
    const first = Math.floor((i * SLOTS) / masters);
    const last = Math.floor(((i + 1) * SLOTS) / masters) - 1;
    await askRedis(node, 'CLUSTER', 'ADDSLOTSRANGE', first, last);
    await askRedis(node, 'CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
  }
  for (const { node, busPort } of members.slice(1)) {
    await askRedis(nodes[0]!, 'CLUSTER', 'MEET', '127.0.0.1', node.port, busPort);
  }
  const complete = [
    'cluster_state:ok',
    `cluster_known_nodes:${masters}`,
    `cluster_slots_ok:${SLOTS}`,
  ];
  for (const node of nodes) await untilRedisSays(node, complete, 'CLUSTER', 'INFO');
  // Nodes meet soon by a short one; by this, none is lost for a pause of a busy machine.
  for (const node of nodes) await askRedis(node, 'CONFIG', 'SET', 'cluster-node-timeout', 60_000);
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    moveSlot: (slot, from, to) => moveSlot(nodes, slot, from, to),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}

async function startMember({ config }: Pick<RedisServerOptions, 'config'>) {
  const busPort = await freePort();
  const node = await startRedis({
    config: {
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-node-timeout': '2000',
      'cluster-port': String(busPort),
      'cluster-announce-ip': '127.0.0.1',
      ...config,
    },
  });
  return { node, busPort };
}

/** @see The Redis cluster specification, "Live resharding" */
async function moveSlot(
  nodes: readonly RedisServer[],
  slot: number,
  from: RedisServer,
  to: RedisServer,
): Promise<void> {
  const fromId = String(await askRedis(from, 'CLUSTER', 'MYID'));
  const toId = String(await askRedis(to, 'CLUSTER', 'MYID'));
  await askRedis(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await askRedis(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  for (;;) {
    const keys = (await askRedis(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
    if (keys.length === 0) break;
    await askRedis(from, 'MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
  }
  // The new owner first: until it knows, a client would be sent to and fro.
  for (const node of [to, from, ...nodes]) {
    await askRedis(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }
}
