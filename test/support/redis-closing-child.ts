/** Uses a server, and one that is not there, closes both, and must then have nothing left to do. */
import { RedisCache } from '../../src/backends/redis/cache';

async function main(): Promise<void> {
  const caches = [new RedisCache(process.argv[2]!), new RedisCache('redis://127.0.0.1:1')];
  const answers = await Promise.allSettled(
    caches.flatMap((cache) => [cache.set('key', 1, 60), cache.get('key'), cache.incr('key')]),
  );
  const isAsExpected = answers.every(
    ({ status }, i) => status === (i < 3 ? 'fulfilled' : 'rejected'),
  );
  await Promise.all(caches.map((cache) => cache.close()));
  // Whoever is still there after this was kept alive.
  setTimeout(() => process.exit(7), 5000).unref();
  process.exitCode = isAsExpected ? 0 : 1;
}

void main();
