import { clientPrefix, type RedisClient } from './client';
import { unlink } from './commands';
import { escapeGlob } from './key-pattern';
import type { RedisTopology } from './topology';

/** Keys that one SCAN goes through, and that are removed at a time. */
const SCAN_COUNT = 1000;

/** Final keys that match, on all servers, a slice at a time. Each slice has its own deadline. */
export async function* scan(
  topology: RedisTopology,
  pattern: string,
  deadlineMs: number,
): AsyncGenerator<string[], void, undefined> {
  for (const { server, client } of await topology.masters()) {
    const before = clientPrefix(server.connection.client);
    const match = escapeGlob(before) + pattern;
    let cursor = '0';
    do {
      const work = () => client.call('scan', cursor, 'match', match, 'count', SCAN_COUNT);
      const [next, finalKeys] = (await server.run(work, deadlineMs)) as [string, string[]];
      yield finalKeys.map((finalKey) => finalKey.slice(before.length));
      cursor = next;
    } while (cursor !== '0');
  }
}

/**
 * Removes the entries whose final keys match.
 *
 * @param onRemoved - Told of each slice how many it had.
 * @returns how many there were
 */
export async function removeMatching(
  topology: RedisTopology,
  pattern: string,
  deadlineMs: number,
  onRemoved?: (count: number) => void,
): Promise<number> {
  let removed = 0;
  for await (const finalKeys of scan(topology, pattern, deadlineMs)) {
    const work = async (client: RedisClient) => {
      const counts = [await unlink(client, finalKeys, topology.isCluster)].flat() as number[];
      const count = counts.reduce((sum, each) => sum + each, 0);
      removed += count;
      onRemoved?.(count);
    };
    if (finalKeys.length > 0) await topology.writer(finalKeys[0]!).run(work, deadlineMs);
  }
  topology.wrote(undefined);
  return removed;
}

/** Removes everything in the database. */
export async function flush(topology: RedisTopology, deadlineMs: number): Promise<void> {
  const masters = await topology.masters();
  await Promise.all(
    masters.map(({ server, client }) => server.run(() => client.call('flushdb'), deadlineMs)),
  );
  topology.wrote(undefined);
}
