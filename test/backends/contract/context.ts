import type { BaseCache, CacheParams } from 'cachewright';

/**
 * Opens a backend on the store under test, with these settings. Called several times in one test:
 * the backends it returns must see one another's entries (but see
 * {@link CacheContractTraits.sharesStore}). The suite empties the store after each test and closes
 * what was opened.
 */
export type OpenCache = (params: CacheParams) => BaseCache | Promise<BaseCache>;

/** Where honest backends differ. All that is left out is as local memory has it. */
export interface CacheContractTraits {
  /**
   * Lets this many seconds pass for the store, for example by moving a mocked clock. The suite
   * restores nothing: stop and restore the clock around each test yourself.
   *
   * @defaultValue really waits
   */
  readonly advance?: (seconds: number) => void | Promise<void>;

  /** Whether two backends opened in one test share their entries. @defaultValue true */
  readonly sharesStore?: boolean;

  /**
   * Whether timeouts count to a fraction of a second. `false`: they are cut to whole seconds, so
   * that one below a second is `0`.
   *
   * @defaultValue true
   */
  readonly fractionalTimeouts?: boolean;

  /** Whether `incr` takes fractions. `false`: it rejects them. @defaultValue true */
  readonly fractionalDeltas?: boolean;

  /** Whether counters go below zero. `false`: they stop there. @defaultValue true */
  readonly negativeCounters?: boolean;

  /**
   * Whether `incr` leaves an entry's expiry as it was. `false`: the entry gets the default
   * timeout.
   *
   * @defaultValue true
   */
  readonly incrKeepsTimeout?: boolean;

  /** Whether concurrent calls of `incr` in one process all count. @defaultValue true */
  readonly atomicIncr?: boolean;

  /** What `delete` says of an expired entry that was not yet removed. @defaultValue true */
  readonly deleteReportsExpired?: boolean;

  /** Whether `clear` empties the store, or only what has the backend's key prefix. @defaultValue 'store' */
  readonly clears?: 'store' | 'prefix';

  /**
   * How many of 49 entries are left when they are stored one after another under `maxEntries` 30.
   * `'ignored'`: all, as the store evicts on its own terms. `'untested'`: a policy of its own.
   *
   * @defaultValue { thirds: 29, all: 19 }
   */
  readonly culling?:
    | 'ignored'
    | 'untested'
    | {
        /** With the default `cullFrequency` of 3. */
        readonly thirds: number;
        /** With a `cullFrequency` of 0. */
        readonly all: number;
      };

  /** What a key that Memcached would refuse leads to. @defaultValue 'warn' */
  readonly keyFaults?: 'warn' | 'throw';
}

/** What a test works on. */
export interface Subject {
  /** A backend with default settings. */
  readonly cache: BaseCache;
  /** Another backend on the same store. */
  another(params?: CacheParams): Promise<BaseCache>;
  advance(seconds: number): Promise<void>;
}

/** What each part of the suite works on. */
export interface ContractContext {
  readonly traits: Required<CacheContractTraits>;
  /** The backend opened for the test at hand, with default settings. */
  cache(): BaseCache;
  /** Another backend on the same store. */
  another(params?: CacheParams): Promise<BaseCache>;
  /** A test that lets time pass, and touches nothing but what it is given. */
  testOfTime(name: string, body: (subject: Subject) => Promise<void>): void;
}
