import { LRUCache } from 'lru-cache';
import type { BaseCache } from '../cache/base-cache';
import { withDeadline } from '../cache/deadline';
import type { MaybePromise } from '../cache/maybe-promise';
import type { Counters } from '../cache/tags';
import { CacheUnavailableError } from '../errors';
import { type Inputs, variantOf } from './request-key';
import type { StoredResponse } from './stored-response';

/** How the run of a handler ended, for those who wait for what it makes. */
export type Landing =
  | {
      readonly kind: 'stored';
      readonly variant: string;
      readonly inputs: readonly string[];
      readonly response: StoredResponse;
      /** Of its tags, and of its removals; `undefined` if they are not known. */
      readonly counters: Counters | undefined;
      /** Fulfilled once others find it in the cache, or never will; `undefined`: they do already. */
      readonly written: Promise<void> | undefined;
    }
  /** Not stored, and if that `isLasting`, nor will it be the next time. */
  | { readonly kind: 'uncacheable'; readonly isLasting: boolean }
  | { readonly kind: 'failed' };

/** How long a page that proved uncacheable is rendered without anybody waiting for anybody. */
const UNCACHEABLE_MS = 60_000;

/** Pages remembered as uncacheable or failing. What is forgotten is found out again. */
const REMEMBERED_PAGES = 10_000;

const FIRST_BACK_OFF_MS = 1000;
const LONGEST_BACK_OFF_MS = 60_000;

interface Failures {
  readonly count: number;
  readonly retryAt: number;
}

/** What keeps other processes from rendering the same page. */
export interface Lease {
  isOurs(): Promise<boolean>;
  end(landing: Landing): Promise<void>;
}

interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/** `Promise.withResolvers()`, which Node 20 has not. */
function withResolvers<T>(): Resolvers<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** One run of the handlers for a page. */
export class Flight {
  /**
   * Whether it is being found out that the page was not purged while it was made, or whether another
   * process has made it. Whoever comes now may have come after a purge that this does not tell of
   * any more.
   */
  isConfirming = false;
  #lease: Lease | undefined;
  #begunAt = performance.now();
  /** What it came to. */
  #landed: Landing | undefined;
  readonly #atLanding: ((landing: Landing) => void)[] = [];
  // Most pages are waited for by nobody.
  #landing: Promise<Landing> | undefined;
  #released: Resolvers<'released'> | undefined;

  /** What it comes to. */
  get landing(): Promise<Landing> {
    this.#landing ??= new Promise((resolve) => this.whenLanded(resolve));
    return this.#landing;
  }

  /** Calls `listener` as it lands; at once if it has. */
  whenLanded(listener: (landing: Landing) => void): void {
    if (this.#landed === undefined) this.#atLanding.push(listener);
    else listener(this.#landed);
  }

  /** Fulfilled if those who wait should wait no longer, as the cache does not answer. */
  get released(): Promise<'released'> {
    this.#released ??= withResolvers();
    return this.#released.promise;
  }

  /** Whether it takes so long already that nobody should begin to wait for it. */
  isOlderThan(ms: number): boolean {
    return performance.now() - this.#begunAt > ms;
  }

  /** Its handlers run only now. Whoever comes from now on may wait for them. */
  beginNow(): void {
    this.#begunAt = performance.now();
  }

  /** From here on the cache alone is waited for, which has so many milliseconds to answer. */
  confirmWithin(ms: number): void {
    this.isConfirming = true;
    withDeadline(
      () => this.landing,
      ms,
      () => new CacheUnavailableError(`The page was not confirmed within ${ms} ms.`, 'timeout'),
    ).catch(() => {
      this.#released ??= withResolvers();
      this.#released.resolve('released');
    });
  }

  /** Keeps other processes from the page until the flight has landed. */
  holdUnder(lease: Lease): void {
    this.#lease = lease;
    this.whenLanded((landing) => void lease.end(landing));
  }

  /** Whether what it made may be stored: no other process has had its turn meanwhile. */
  mayStore(): MaybePromise<boolean> {
    return this.#lease?.isOurs() ?? true;
  }

  /** Tells all who wait. Only the first call counts. */
  land(landing: Landing): void {
    if (this.#landed !== undefined) return;
    this.#landed = landing;
    for (const listener of this.#atLanding) listener(landing);
  }
}

/**
 * What this process knows of the pages that are being rendered into one backend: which are under
 * way, which are not worth waiting for, and which fail.
 */
export class PageFlights {
  static readonly #byCache = new WeakMap<BaseCache, PageFlights>();
  /** The present instant in the order in which pages are stored. */
  static clock = 0;

  readonly #flights = new Map<string, Flight>();
  readonly #storedAt = new LRUCache<string, number>({ max: REMEMBERED_PAGES });
  readonly #uncacheableUntil = new LRUCache<string, number>({ max: REMEMBERED_PAGES });
  readonly #unrefreshableUntil = new LRUCache<string, number>({ max: REMEMBERED_PAGES });
  readonly #failures = new LRUCache<string, Failures>({ max: REMEMBERED_PAGES });

  static of(cache: BaseCache): PageFlights {
    let flights = PageFlights.#byCache.get(cache);
    if (flights === undefined) {
      flights = new PageFlights();
      PageFlights.#byCache.set(cache, flights);
    }
    return flights;
  }

  /** The run under way for this page. */
  get(key: string): Flight | undefined {
    return this.#flights.get(key);
  }

  /**
   * Begins a run for this page, in place of one that takes too long. Others may join it until what
   * it made can be found in the cache.
   */
  begin(key: string): Flight {
    const flight = new Flight();
    this.#flights.set(key, flight);
    const leave = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.whenLanded((landing) => {
      // What is stored at once, no look-up can have missed.
      if (landing.kind !== 'stored' || landing.written === undefined) leave();
      else void this.#noteStored(key, landing.written).then(leave);
    });
    return flight;
  }

  async #noteStored(key: string, written: Promise<void>): Promise<void> {
    await written;
    PageFlights.clock += 1;
    this.#storedAt.set(key, PageFlights.clock);
  }

  /** Whether the page was stored since `instant`, so that a look-up begun then may have missed it. */
  isStoredSince(key: string, instant: number): boolean {
    return PageFlights.clock > instant && (this.#storedAt.get(key) ?? 0) > instant;
  }

  /** Whether the page is known not to be storable, so that waiting would be for nothing. */
  isUncacheable(key: string, now: number): boolean {
    return now < (this.#uncacheableUntil.get(key) ?? 0);
  }

  markUncacheable(key: string, now: number): void {
    this.#uncacheableUntil.set(key, now + UNCACHEABLE_MS);
  }

  markStored(key: string): void {
    this.#uncacheableUntil.delete(key);
    this.#failures.delete(key);
  }

  /** Whether a refresh in the background did not bring the page, so that a visitor has to render it. */
  isUnrefreshable(key: string, now: number): boolean {
    return now < (this.#unrefreshableUntil.get(key) ?? 0);
  }

  markUnrefreshable(key: string, now: number): void {
    this.#unrefreshableUntil.set(key, now + UNCACHEABLE_MS);
  }

  /** Whether the handlers failed for this page a short while ago, and are to be left alone. */
  isBackingOff(key: string, now: number): boolean {
    return now < (this.#failures.get(key)?.retryAt ?? 0);
  }

  /** Notes a failure. The pause doubles with each, up to a minute, less a random half. */
  markFailed(key: string, now: number): void {
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    const pause = Math.min(FIRST_BACK_OFF_MS * 2 ** (count - 1), LONGEST_BACK_OFF_MS);
    this.#failures.set(key, { count, retryAt: now + pause * (0.5 + Math.random() / 2) });
  }
}

/** Gives the requests that wait what another process has rendered. */
export function landFound(
  flight: Flight,
  response: StoredResponse,
  inputs: readonly string[] | undefined,
  values: Inputs,
): void {
  const written = Promise.resolve();
  const known = inputs ?? [];
  const variant = variantOf(known, values);
  // Its counters do not tell whether it was removed since it was read.
  flight.land({
    kind: 'stored',
    variant,
    inputs: known,
    response,
    counters: undefined,
    written,
  });
}

/** Whether what was rendered for another request answers one with these values, too. */
export function isLandedFor(
  { variant, inputs, response }: Landing & { kind: 'stored' },
  values: Inputs,
): boolean {
  return variantOf(inputs, values) === variant && response.isFresh(Date.now());
}
