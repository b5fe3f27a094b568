import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** Final keys, and those that not every backend takes. */
export function describeKeys(context: ContractContext): void {
  const { another } = context;
  const { keyFaults } = context.traits;

  describe('keys', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('are prefix, version and key (KEY-01)', async () => {
      const prefixed = await another({ keyPrefix: 'prefix', version: 2 });
      expect(cache.makeKey('k')).toBe(':1:k');
      expect(cache.makeKey('k', 'x')).toBe(':x:k');
      expect(prefixed.makeKey('k')).toBe('prefix:2:k');
    });

    describeKeyFaults(another, keyFaults);
  });
}

const OPERATIONS: Record<string, (cache: BaseCache, key: string) => Promise<unknown>> = {
  add: (cache, key) => cache.add(key, 'value'),
  get: (cache, key) => cache.get(key),
  set: (cache, key) => cache.set(key, 'value'),
  incr: (cache, key) => cache.incr(key),
  decr: (cache, key) => cache.decr(key),
  touch: (cache, key) => cache.touch(key),
  delete: (cache, key) => cache.delete(key),
  hasKey: (cache, key) => cache.hasKey(key),
  getMany: (cache, key) => cache.getMany([key, 'good']),
  setMany: (cache, key) => cache.setMany({ good: 1, [key]: 2 }),
  deleteMany: (cache, key) => cache.deleteMany(['good', key]),
};

function describeKeyFaults(another: ContractContext['another'], reaction: 'warn' | 'throw'): void {
  // KEY-17 is about a backend that throws, KEY-16 about all others.
  const fact = reaction === 'warn' ? 'KEY-16' : 'KEY-17';

  test.each(Object.keys(OPERATIONS))(
    `%s() ${reaction}s of a key with spaces (${fact}, KEY-14)`,
    async (name) => {
      const cache = await another();
      const badKey = 'key with spaces';
      const isCounter = name === 'incr' || name === 'decr';
      if (isCounter && reaction === 'warn') await watched(() => cache.set(badKey, 1));
      const { warnings, outcome } = await watched(() => OPERATIONS[name]!(cache, badKey));
      const named = expect.stringContaining(':1:key with spaces');
      if (reaction === 'throw') {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { code: 'ERR_CACHE_KEY', key: ':1:key with spaces', message: named },
        });
        expect(warnings).toEqual([]);
      } else {
        expect(outcome).toMatchObject({ status: 'fulfilled' });
        expect(warnings).toContainEqual(
          expect.objectContaining({ name: 'CacheKeyWarning', message: named }),
        );
      }
    },
  );

  test.each(Object.keys(OPERATIONS))(
    `%s() ${reaction}s of a key of over 250 characters (${fact}, KEY-13, KEY-18)`,
    async (name) => {
      const cache = await another();
      // 248 of its own, 251 with the version.
      const longKey = 'k'.repeat(248);
      const { warnings, outcome } = await watched(() => OPERATIONS[name]!(cache, longKey));
      const faults =
        reaction === 'warn' ? warnings : outcome.status === 'rejected' ? [outcome.reason] : [];
      const messages = faults.map((fault) => (fault as Error).message);
      expect(messages).toContainEqual(expect.stringMatching(new RegExp(`250.*:1:${longKey}`, 's')));
    },
  );

  if (reaction === 'throw') return;

  test('what was warned of is done all the same (KEY-16)', async () => {
    const cache = await another();
    const { outcome } = await watched(async () => {
      await cache.set('key with spaces', 'value');
      return cache.get('key with spaces');
    });
    expect(outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });

  test('good keys do not warn, 250 characters and other scripts included (KEY-13, KEY-14)', async () => {
    const cache = await another();
    const { warnings } = await watched(async () => {
      for (const key of ['k'.repeat(247), '清', 'ключ', '🦊', 'a!~"']) await cache.set(key, 1);
    });
    expect(warnings).toEqual([]);
  });

  test('a key that is both long and bad warns twice, one of many bad characters once (KEY-15)', async () => {
    const cache = await another();
    const both = await watched(() => cache.get(`${'k'.repeat(250)} k`));
    expect(both.warnings).toHaveLength(2);
    const many = await watched(() => cache.get('a b\tc\u007f'));
    expect(many.warnings).toHaveLength(1);
  });
}

/**
 * Runs `work` and takes its process warnings, which reach nobody else. At the source, for a test
 * runner may give tests a `process` whose events are not the real one's.
 */
async function watched(
  work: () => Promise<unknown>,
): Promise<{ warnings: Error[]; outcome: PromiseSettledResult<unknown> }> {
  const warnings: Error[] = [];
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error) => {
    warnings.push(typeof warning === 'string' ? new Error(warning) : warning);
  };
  try {
    const [outcome] = await Promise.allSettled([work()]);
    return { warnings, outcome: outcome! };
  } finally {
    process.emitWarning = emitWarning;
  }
}
