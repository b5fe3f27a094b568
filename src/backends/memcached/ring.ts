import HashRing from 'hashring';

/** Hashes of each server's name; each gives four points on the ring. As ketama has it. */
const HASHES_PER_SERVER = 40;

/**
 * Which server has a key: the next one on a ring of points, so that a server more or less moves
 * the keys of its own part alone.
 *
 * @param names - Of the servers, `host:port` or a path. The same names give the same ring.
 */
export function ketamaRing(names: readonly string[]): (key: string) => string {
  const servers: Record<string, { vnodes: number }> = {};
  for (const name of names) servers[name] = { vnodes: HASHES_PER_SERVER };
  // 0, as hashring would else make the number of hashes from the share of the server, and its
  // fractions add up to 39 of 40 for some numbers of servers.
  const ring = new HashRing(servers, 'md5', { 'vnode count': 0 });
  return (key) => ring.get(key);
}
