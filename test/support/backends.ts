import { BaseCache, type CacheParams, type Timeout, type VersionOption } from 'cachewright';

/** What was done to a {@link ByteCache}. */
export interface Tally {
  reads: number;
  writes: number;
}

/** Entries of each location, so that a test can look into the store, and tamper with it. */
const stores = new Map<string, Map<string, { bytes: Uint8Array; expiresAt: number }>>();

/** What the cache keeps for itself in each location: counters of tags, leases. */
const accounts = new Map<string, Map<string, unknown>>();

/**
 * A backend of bytes, as servers are: it holds nothing but what went over the wire, answers later
 * and not at once, and counts what it was asked.
 */
export class ByteCache extends BaseCache {
  readonly tally: Tally = { reads: 0, writes: 0 };
  readonly entries: Map<string, { bytes: Uint8Array; expiresAt: number }>;
  readonly #accounts: Map<string, unknown>;

  constructor(location?: unknown, params?: CacheParams) {
    super(location, params);
    const name = String(location);
    if (!accounts.has(name)) accounts.set(name, new Map());
    this.#accounts = accounts.get(name)!;
    if (!stores.has(name)) stores.set(name, new Map());
    this.entries = stores.get(name)!;
  }

  override async get(key: string, fallback?: unknown, { version }: VersionOption = {}) {
    const finalKey = this.makeAndValidateKey(key, version);
    if (isAccount(key)) {
      await later();
      return (this.#accounts.get(finalKey) ?? fallback) as never;
    }
    this.tally.reads += 1;
    await later();
    const entry = this.entries.get(finalKey);
    if (entry === undefined || entry.expiresAt <= Date.now()) return fallback as never;
    return Buffer.from(entry.bytes) as never;
  }

  override async set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    { version }: VersionOption = {},
  ) {
    const finalKey = this.makeAndValidateKey(key, version);
    if (isAccount(key)) {
      await later();
      this.#accounts.set(finalKey, value);
      return;
    }
    const seconds = this.resolveTimeout(timeout, key) ?? Number.POSITIVE_INFINITY;
    this.tally.writes += 1;
    const bytes = Buffer.from(value as Uint8Array);
    await later();
    this.entries.set(finalKey, { bytes, expiresAt: Date.now() + seconds * 1000 });
  }

  override async add(key: string, value: unknown, timeout?: Timeout, options?: VersionOption) {
    if ((await this.get(key, undefined, options)) !== undefined) return false;
    await this.set(key, value, timeout, options);
    return true;
  }

  override async touch(key: string, timeout?: Timeout, options?: VersionOption) {
    const bytes = await this.get(key, undefined, options);
    if (bytes === undefined) return false;
    await this.set(key, bytes, timeout, options);
    return true;
  }

  override async delete(key: string, { version }: VersionOption = {}) {
    await later();
    const finalKey = this.makeAndValidateKey(key, version);
    return this.#accounts.delete(finalKey) || this.entries.delete(finalKey);
  }

  override async clear() {
    this.entries.clear();
    this.#accounts.clear();
  }
}

function isAccount(key: string): boolean {
  return key.startsWith('cachewright.') || key.endsWith('.lease');
}

/** Two turns of the event loop, as a fast server takes. */
function later(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** A backend whose server is gone: every method rejects. */
export class RejectingCache extends BaseCache {
  override get(): Promise<never> {
    return this.#fail();
  }
  override set(): Promise<never> {
    return this.#fail();
  }
  override add(): Promise<never> {
    return this.#fail();
  }
  override touch(): Promise<never> {
    return this.#fail();
  }
  override delete(): Promise<never> {
    return this.#fail();
  }
  override clear(): Promise<never> {
    return this.#fail();
  }

  async #fail(): Promise<never> {
    await later();
    throw new Error('connection refused');
  }
}

/** A backend with a bug: every method throws before it returns a promise. */
export class ThrowingCache extends BaseCache {
  override get(): never {
    throw new Error('not today');
  }
  override set(): never {
    throw new Error('not today');
  }
  override add(): never {
    throw new Error('not today');
  }
  override touch(): never {
    throw new Error('not today');
  }
  override delete(): never {
    throw new Error('not today');
  }
  override clear(): never {
    throw new Error('not today');
  }
}
