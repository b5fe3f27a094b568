import {
  BaseCache,
  type CacheParams,
  type Timeout,
  ValueCodec,
  type VersionOption,
} from 'cachewright';

interface Entry {
  readonly bytes: Buffer;
  expiresAt: number;
}

const stores = new Map<unknown, Map<string, Entry>>();

/** A backend as an application may bring it: the six methods and no more. */
export class MapCache extends BaseCache {
  readonly #entries: Map<string, Entry>;
  readonly #codec = new ValueCodec();

  constructor(location: unknown, params?: CacheParams) {
    super(location, params);
    const entries = stores.get(location) ?? new Map();
    stores.set(location, entries);
    this.#entries = entries;
  }

  override async get(key: string, fallback?: unknown, { version }: VersionOption = {}) {
    const entry = this.#live(this.makeAndValidateKey(key, version));
    return (
      entry === undefined ? fallback : this.#codec.decodeBytes(Buffer.from(entry.bytes))
    ) as never;
  }

  override async set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    { version }: VersionOption = {},
  ) {
    const finalKey = this.makeAndValidateKey(key, version);
    const bytes = this.#codec.encodeBytes(value, key);
    this.#entries.set(finalKey, { bytes, expiresAt: this.#expiry(timeout, key) });
  }

  override async add(key: string, value: unknown, timeout?: Timeout, options?: VersionOption) {
    const finalKey = this.makeAndValidateKey(key, options?.version);
    const bytes = this.#codec.encodeBytes(value, key);
    const expiresAt = this.#expiry(timeout, key);
    if (this.#live(finalKey) !== undefined) return false;
    this.#entries.set(finalKey, { bytes, expiresAt });
    return true;
  }

  override async touch(key: string, timeout?: Timeout, { version }: VersionOption = {}) {
    const entry = this.#live(this.makeAndValidateKey(key, version));
    const expiresAt = this.#expiry(timeout, key);
    if (entry !== undefined) entry.expiresAt = expiresAt;
    return entry !== undefined;
  }

  override async delete(key: string, { version }: VersionOption = {}) {
    return this.#entries.delete(this.makeAndValidateKey(key, version));
  }

  override async clear() {
    this.#entries.clear();
  }

  #live(finalKey: string): Entry | undefined {
    const entry = this.#entries.get(finalKey);
    return entry !== undefined && entry.expiresAt > Date.now() ? entry : undefined;
  }

  #expiry(timeout: Timeout, key: string): number {
    const seconds = this.resolveTimeout(timeout, key);
    return seconds === null ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000;
  }
}
