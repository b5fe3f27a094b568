/** Counts `count` up, by so many calls of `incr` at a time as a busy process would have. */
import { RedisCache } from '../../src/backends/redis/cache';
import { UNHURRIED } from './unhurried';

const [url = '', total = ''] = process.argv.slice(2);
const BATCH = 100;

async function main(): Promise<void> {
  const cache = new RedisCache(url, { options: UNHURRIED });
  for (let done = 0; done < Number(total); done += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, () => cache.incr('count')));
  }
  await cache.close();
}

void main();
