/**
 * Run as a process of its own: uses one file cache in every way at random for a while, and sends
 * its parent what it saw. `argv`: the directory, milliseconds, a seed.
 */
import { createHash } from 'node:crypto';
import { FileBasedCache } from '../../src/index';

/** What one process did, and whatever went wrong. */
export interface Report {
  readonly calls: number;
  readonly hits: number;
  readonly misses: number;
  /** Values that are not as any process wrote them. */
  readonly torn: string[];
  readonly errors: string[];
}

const KEYS = 40;
const WORKERS = 8;

async function main(): Promise<void> {
  const [directory, milliseconds, seed] = process.argv.slice(2);
  const random = randomFrom(Number(seed));
  // Small enough for culling to happen all the time as well.
  const cache = new FileBasedCache(directory, { options: { maxEntries: 30 } });
  const until = Date.now() + Number(milliseconds);
  const report = { calls: 0, hits: 0, misses: 0, torn: [] as string[], errors: [] as string[] };

  async function work(): Promise<void> {
    while (Date.now() < until) {
      const key = `key${Math.floor(random() * KEYS)}`;
      try {
        await callAtRandom(key);
      } catch (error) {
        report.errors.push(String((error as Error).stack));
      }
      report.calls += 1;
    }
  }

  async function callAtRandom(key: string): Promise<unknown> {
    const choice = random();
    if (choice < 0.3) return check(key, await cache.get(key));
    if (choice < 0.4) {
      const make = () => signed(key, random);
      return check(key, await cache.getOrSet(key, make, timeoutFrom(random)));
    }
    if (choice < 0.65) return cache.set(key, signed(key, random), timeoutFrom(random));
    if (choice < 0.75) return cache.add(key, signed(key, random), timeoutFrom(random));
    if (choice < 0.85) return cache.touch(key, timeoutFrom(random));
    if (choice < 0.92) return cache.delete(key);
    if (choice < 0.98) return cache.hasKey(key);
    if (choice < 0.995) {
      const other = `key${Math.floor(random() * KEYS)}`;
      for (const [found, value] of Object.entries(await cache.getMany([key, other]))) {
        check(found, value);
      }
      return undefined;
    }
    return cache.clear();
  }

  function check(key: string, value: unknown): void {
    if (value === undefined) report.misses += 1;
    else if (isSigned(key, value)) report.hits += 1;
    else report.torn.push(`${key}: ${JSON.stringify(value)?.slice(0, 200)}`);
  }

  await Promise.all(Array.from({ length: WORKERS }, work));
  process.send!(report satisfies Report);
}

/** Bytes of any length up to some reads of the file, and what proves that they are whole. */
function signed(key: string, random: () => number): unknown {
  const length = Math.floor(random() ** 4 * 100_000);
  const bytes = Buffer.alloc(length, String(random()));
  return { key, bytes, digest: digestOf(key, bytes) };
}

function isSigned(key: string, value: unknown): boolean {
  const { key: own, bytes, digest } = value as { key: string; bytes: Buffer; digest: string };
  return own === key && digest === digestOf(key, bytes);
}

function digestOf(key: string, bytes: Buffer): string {
  return createHash('sha1').update(key).update(bytes).digest('hex');
}

/** Some so short that files expire, and are removed, under the hands of the other process. */
function timeoutFrom(random: () => number): number | null {
  const choice = random();
  if (choice < 0.3) return 0.005 * random();
  if (choice < 0.35) return 0;
  return choice < 0.7 ? 60 : null;
}

/** Mulberry32: small, and good enough to pick calls with. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
