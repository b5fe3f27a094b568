import type { BaseCache, CacheParams } from 'cachewright';
import { describeClear } from './contract/clear';
import type { CacheContractTraits, ContractContext, OpenCache } from './contract/context';
import { describeCounters } from './contract/counters';
import { describeCulling } from './contract/culling';
import { describeEntries } from './contract/entries';
import { describeGetOrSet } from './contract/get-or-set';
import { describeKeys } from './contract/keys';
import { describeMany } from './contract/many';
import { testsOfTime, waited } from './contract/passing-time';
import { describeTimeouts } from './contract/timeouts';
import { describeTouch } from './contract/touch';
import { describeValues } from './contract/values';
import { describeVersions } from './contract/versions';

export type { CacheContractTraits, OpenCache } from './contract/context';

/** As local memory has them. */
const DEFAULT_TRAITS: Required<CacheContractTraits> = {
  advance: waited,
  sharesStore: true,
  fractionalTimeouts: true,
  fractionalDeltas: true,
  negativeCounters: true,
  incrKeepsTimeout: true,
  atomicIncr: true,
  deleteReportsExpired: true,
  clears: 'store',
  culling: { thirds: 29, all: 19 },
  keyFaults: 'warn',
};

/**
 * What every backend promises, as a suite: call it from a test file of Jest, or of Vitest with
 * `globals`. A backend's own tests add only what is its own.
 *
 * @param name - Of the backend, for the report.
 * @param open - See {@link OpenCache}.
 * @param traits - Where the backend differs from local memory.
 * @example
 * describeCacheContract('MyCache', (params) => new MyCache('test', params), {
 *   incrKeepsTimeout: false,
 *   culling: 'untested',
 * });
 */
export function describeCacheContract(
  name: string,
  open: OpenCache,
  traits: CacheContractTraits = {},
): void {
  const allTraits = { ...DEFAULT_TRAITS, ...traits };

  describe(`${name} keeps the cache contract`, () => {
    let opened: BaseCache[] = [];

    async function another(params: CacheParams = {}): Promise<BaseCache> {
      const backend = await open(params);
      opened.push(backend);
      return backend;
    }

    beforeEach(async () => {
      await another();
    });

    afterEach(async () => {
      const backends = opened;
      opened = [];
      for (const backend of backends) await backend.clear();
      await Promise.all(backends.map((backend) => backend.close()));
    });

    const cache = () => opened[0]!;
    const context: ContractContext = {
      traits: allTraits,
      cache,
      another,
      testOfTime: testsOfTime(allTraits.advance, cache, another),
    };
    describeEntries(context);
    describeMany(context);
    describeCounters(context);
    describeVersions(context);
    describeTimeouts(context);
    describeTouch(context);
    describeGetOrSet(context);
    describeValues(context);
    describeCulling(context);
    describeClear(context);
    describeKeys(context);

    test('close() may be called at any time, and the backend used again (API-38)', async () => {
      const cache = context.cache();
      expect(await cache.close()).toBeUndefined();
      await cache.set('key', 'value');
      await cache.close();
      await cache.close();
      await cache.set('other', 'value');
      expect(await cache.get('other')).toBe('value');
    });
  });
}
