import type { BaseCache } from '../../cache/base-cache';

/** Where the ledger is, by a name that culls leave alone as they do the counters of tags. */
const KEY = 'cachewright.tag.tiers';

/** Aliases of all versions share it, for each may write what another reads. */
export const LEDGER_VERSION = 0;

const OPTIONS = { version: LEDGER_VERSION };

/** How long a ledger is remembered that nobody changes: longer than anybody does not look. */
const SECONDS = 7 * 24 * 3600;

/** The one entry of the shared cache that the processes with a local tier agree by. */
export interface Register {
  /**
   * Whether {@link Register.swap} looks and writes in one. Where it does not, each write is to be
   * unlike all others, and tells only that there was one.
   */
  readonly isAtomic: boolean;
  read(): Promise<string | undefined>;
  /** Puts `to` in the place of `from`, if that is what is there. @returns whether it was */
  swap(from: string | undefined, to: string): Promise<boolean>;
}

/** The register of a cache, which must answer within `deadlineMs`. */
export function registerIn(cache: BaseCache, deadlineMs: number): Register {
  return cache.swapsLeases ? inLease(cache, deadlineMs) : inEntry(cache);
}

/** A lease goes on under another token only if nobody else has changed it meanwhile. */
function inLease(cache: BaseCache, deadlineMs: number): Register {
  return {
    isAtomic: true,
    async read() {
      const found = await cache.readLease(KEY, deadlineMs, LEDGER_VERSION);
      if (found === undefined || typeof found === 'string') return found;
      // Not ours, whatever it is: it cannot be exchanged for what is.
      await cache.delete(KEY, OPTIONS);
      return undefined;
    },
    swap: (from, to) =>
      from === undefined
        ? cache.acquireLease(KEY, to, SECONDS, deadlineMs, LEDGER_VERSION)
        : cache.extendLease(KEY, from, SECONDS, deadlineMs, to, LEDGER_VERSION),
  };
}

function inEntry(cache: BaseCache): Register {
  return {
    isAtomic: false,
    async read() {
      const found = await cache.get(KEY, undefined, OPTIONS);
      return typeof found === 'string' ? found : undefined;
    },
    async swap(_from, to) {
      await cache.set(KEY, to, null, OPTIONS);
      return true;
    },
  };
}
