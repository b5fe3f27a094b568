import { randomUUID } from 'node:crypto';
import { CacheUnavailableError } from '../errors';
import type { Landing } from './flights';
import { backendOf, finishBeforeClose, type PageSettings, reportFailure } from './page-settings';

/**
 * How long a lease lasts that nobody renews, because its holder was killed or is stuck: less than
 * the two seconds for which that may hold a page up, as others have to find it out.
 */
const LEASE_SECONDS = 1.8;
const RENEWAL_MS = 600;

/**
 * What stands in the place of a lease once the page has proved uncacheable, and for how long: so
 * that those who wait in other processes all run at once, and not one after the other.
 */
const UNCACHEABLE = 'uncacheable';
const UNCACHEABLE_SECONDS = 60;

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 50;

/** How it came out that a page is, or is not, this process's to render. */
export type Turn =
  | PageLease
  /** Another process renders it. */
  | 'held'
  /** Another process has found that it cannot be stored. */
  | 'uncacheable'
  /** The backend cannot tell: each process is on its own. */
  | 'unavailable'
  /** Nor did it say so in time: to ask it for anything else would cost the visitor as long again. */
  | 'silent';

/** What came of waiting for the process that renders a page. */
export type Wait = 'released' | 'late' | Exclude<Turn, PageLease | 'held'>;

/**
 * The right to render one page, which one process has at a time of all that share a backend. It is
 * renewed for as long as the page takes, within reason, and checked before the page is stored: who
 * was stuck for so long that another had its turn does not overwrite what that one made.
 */
export class PageLease {
  readonly #settings: PageSettings;
  readonly #key: string;
  readonly #token = randomUUID();
  readonly #renewUntil: number;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  private constructor(settings: PageSettings, key: string) {
    this.#settings = settings;
    this.#key = key;
    this.#renewUntil = performance.now() + settings.waitMs;
  }

  /** Takes the lease of a page, if nobody else has it. */
  static async take(settings: PageSettings, storageKey: string): Promise<Turn> {
    const lease = new PageLease(settings, leaseKey(storageKey));
    const { readTimeoutMs } = settings;
    try {
      const cache = backendOf(settings);
      const key = lease.#key;
      if (await cache.acquireLease(key, lease.#token, LEASE_SECONDS, readTimeoutMs)) {
        lease.#renewLater();
        return lease;
      }
      return (await cache.readLease(key, readTimeoutMs)) === UNCACHEABLE ? UNCACHEABLE : 'held';
    } catch (error) {
      reportFailure(settings, error, { operation: 'write', key: lease.#key });
      return silenceOf(error);
    }
  }

  /**
   * Waits for the process that has the lease of a page, with pauses that differ from those of
   * others.
   *
   * @param deadline - On the clock of `performance.now()`.
   */
  static async waitForRelease(
    settings: PageSettings,
    storageKey: string,
    deadline: number,
  ): Promise<Wait> {
    const key = leaseKey(storageKey);
    let holder: unknown;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        if (typeof holder === 'string') {
          finishBeforeClose(settings, PageLease.#letLapse(settings, key, holder));
        }
        return 'late';
      }
      await sleep(Math.min(leftMs, pause * (0.5 + Math.random() / 2)));
      try {
        holder = await backendOf(settings).readLease(key, settings.readTimeoutMs);
        if (holder === undefined) return 'released';
        if (holder === UNCACHEABLE) return UNCACHEABLE;
      } catch (error) {
        reportFailure(settings, error, { operation: 'read', key });
        return silenceOf(error);
      }
    }
  }

  /**
   * Gives a lease an end that may have none. One that is in use is renewed by its holder; one that is
   * left from a damaged store or an attacker would make the page wait each time it is rendered.
   */
  static async #letLapse(settings: PageSettings, key: string, token: string): Promise<void> {
    try {
      const cache = backendOf(settings);
      await cache.extendLease(key, token, LEASE_SECONDS, settings.writeTimeoutMs);
    } catch (error) {
      reportFailure(settings, error, { operation: 'write', key });
    }
  }

  /** Whether it is still ours, so that what was made under it may be stored. */
  isOurs(): Promise<boolean> {
    return this.#extend(LEASE_SECONDS);
  }

  /** Lets others have their turn, as soon as they find what came of this one. */
  async end(landing: Landing): Promise<void> {
    const ended = this.#end(landing);
    finishBeforeClose(this.#settings, ended);
    await ended;
  }

  async #end(landing: Landing): Promise<void> {
    // Even if it cannot be given back: it lapses by itself then.
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    if (landing.kind === 'stored') await landing.written;
    if (landing.kind !== 'uncacheable' || !landing.isLasting) await this.#extend(0);
    // In its place at once: whoever got it in between would make all others wait once more.
    else await this.#extend(UNCACHEABLE_SECONDS, UNCACHEABLE);
  }

  #renewLater(): void {
    // A handler that takes longer than anybody waits for it is left to itself.
    if (performance.now() > this.#renewUntil) return;
    this.#timer = setTimeout(async () => {
      if ((await this.#extend(LEASE_SECONDS)) && !this.#hasEnded) this.#renewLater();
    }, RENEWAL_MS);
    this.#timer.unref();
  }

  /** @returns whether it was ours until now */
  async #extend(seconds: number, successor: string = this.#token): Promise<boolean> {
    const { writeTimeoutMs } = this.#settings;
    try {
      const cache = backendOf(this.#settings);
      return await cache.extendLease(this.#key, this.#token, seconds, writeTimeoutMs, successor);
    } catch (error) {
      reportFailure(this.#settings, error, { operation: 'write', key: this.#key });
      return false;
    }
  }
}

/** What it means for a page that this came of asking for its lease. */
function silenceOf(error: unknown): 'silent' | 'unavailable' {
  const isSilent = error instanceof CacheUnavailableError && error.reason === 'timeout';
  return isSilent ? 'silent' : 'unavailable';
}

function leaseKey(storageKey: string): string {
  return `${storageKey}.lease`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    // Whoever waits has a client, and without one there is nothing to stay alive for.
    setTimeout(resolve, ms).unref();
  });
}
