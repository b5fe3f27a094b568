// A backend of your own: six methods, here around another backend, to count what is asked of it.
//
//   npx tsx examples/custom-backend.ts
//   curl -si localhost:3000/        a miss, then a hit
//   curl -s localhost:3000/tally    { "get": 2, "hit": 1, "set": 1, ... }
import {
  BaseCache,
  type CacheParams,
  cachePage,
  configureCaches,
  createCaches,
  neverCache,
  type Timeout,
  type VersionOption,
} from 'cachewright';
import express from 'express';

/** Local memory that counts. */
export class CountingCache extends BaseCache {
  readonly tally = { get: 0, hit: 0, set: 0, add: 0, touch: 0, delete: 0 };
  readonly #inner: BaseCache;

  constructor(location: string, params: CacheParams) {
    super(location, params);
    this.#inner = createCaches({ default: { location, options: params.options } }).default;
  }

  override async get(key: string, fallback?: unknown, { version }: VersionOption = {}) {
    const value = await this.#inner.get(this.makeAndValidateKey(key, version));
    this.tally.get += 1;
    if (value !== undefined) this.tally.hit += 1;
    return (value === undefined ? fallback : value) as never;
  }

  override async set(key: string, value: unknown, timeout?: Timeout, options: VersionOption = {}) {
    this.tally.set += 1;
    const finalKey = this.makeAndValidateKey(key, options.version);
    await this.#inner.set(finalKey, value, this.resolveTimeout(timeout, key));
  }

  override add(key: string, value: unknown, timeout?: Timeout, options: VersionOption = {}) {
    this.tally.add += 1;
    const finalKey = this.makeAndValidateKey(key, options.version);
    return this.#inner.add(finalKey, value, this.resolveTimeout(timeout, key));
  }

  override touch(key: string, timeout?: Timeout, options: VersionOption = {}) {
    this.tally.touch += 1;
    const finalKey = this.makeAndValidateKey(key, options.version);
    return this.#inner.touch(finalKey, this.resolveTimeout(timeout, key));
  }

  override delete(key: string, { version }: VersionOption = {}) {
    this.tally.delete += 1;
    return this.#inner.delete(this.makeAndValidateKey(key, version));
  }

  override clear() {
    return this.#inner.clear();
  }
}

const { default: counting } = configureCaches({
  default: { backend: CountingCache, location: 'counted' },
});

export const app = express();

app.get('/', cachePage(60), (_req, res) => {
  res.send(`Rendered at ${new Date().toISOString()}`);
});

app.get('/tally', neverCache(), (_req, res) => {
  res.json(counting.tally);
});

if (require.main === module) app.listen(process.env.PORT ?? 3000);
