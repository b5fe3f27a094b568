import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from './programs';
import { untilRedisSays } from './redis-client';
import { type RedisReplicas, startRedisReplicas } from './redis-replicas';
import { type NetworkServer, type Place, startServer } from './server-process';

/** A leader and its replicas under the watch of Sentinels. */
export interface RedisSentinel extends RedisReplicas {
  /** What the Sentinels call them. */
  readonly name: string;
  readonly sentinels: readonly NetworkServer[];
}

const NAME = 'main';
const QUORUM = 2;

/**
 * Starts a leader with replicas and three Sentinels, and waits until these know of everyone.
 *
 * @param downAfterMs - A leader that does not answer for so long is replaced. Default: no pause of
 *   a busy machine is that long.
 */
export async function startSentinel({
  replicas = 1,
  downAfterMs = 60_000,
}: {
  readonly replicas?: number;
  readonly downAfterMs?: number;
} = {}): Promise<RedisSentinel> {
  const watched = await startRedisReplicas({ replicas });
  const sentinels = await Promise.all(
    Array.from({ length: 3 }, () => startOne(watched.leader.port, downAfterMs)),
  );
  const known = [`num-slaves:${replicas}`, 'num-other-sentinels:2', 'flags:master'];
  for (const sentinel of sentinels) {
    await untilRedisSays(sentinel, known, 'SENTINEL', 'MASTER', NAME);
  }
  return {
    ...watched,
    name: NAME,
    sentinels,
    // The Sentinels first: they would hand over the leader as it stops.
    stop: async () => {
      await Promise.all(sentinels.map((sentinel) => sentinel.stop()));
      await watched.stop();
    },
  };
}

async function startOne(leaderPort: number, downAfterMs: number): Promise<NetworkServer> {
  const { server, place } = await startServer('redis-sentinel', ({ port, folder }: Place) => {
    const path = join(folder, 'sentinel.conf');
    // It rewrites the file as it goes.
    writeFileSync(
      path,
      `bind 127.0.0.1
port ${port}
dir ${folder}
sentinel monitor ${NAME} 127.0.0.1 ${leaderPort} ${QUORUM}
sentinel down-after-milliseconds ${NAME} ${downAfterMs}
sentinel failover-timeout ${NAME} 3000
`,
    );
    return {
      program: programPath('redis-server'),
      args: [path, '--sentinel'],
      ready: { log: /\+monitor master/ },
    };
  });
  return Object.assign(server, {
    url: `redis://127.0.0.1:${place.port}`,
    host: '127.0.0.1',
    port: place.port,
  });
}
