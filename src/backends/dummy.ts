import {
  type AtOnceOptions,
  BaseCache,
  type StoreOptions,
  type VersionOption,
} from '../cache/base-cache';
import { getOptions, storeOptions, versionOptions } from '../cache/call-arguments';
import { Tags } from '../cache/tags';
import type { Timeout } from '../cache/timeouts';
import { LocalTagStore } from './local-tag-store';

/** What is purged concerns nothing but what is being made: all dummies may have it in common. */
const tags = new Tags(new LocalTagStore());

/**
 * Keeps nothing, so that a site can run without a cache and without a change to its code.
 *
 * @see Django's `DummyCache`
 */
export class DummyCache extends BaseCache {
  /** @internal */
  override readonly keepsTags: boolean = true;

  /** @internal */
  override get tags(): Tags {
    return tags;
  }

  override get<T = unknown>(key: string): Promise<T | undefined>;
  override get<T = unknown, D = T>(
    key: string,
    fallback: D,
    options?: VersionOption,
  ): Promise<T | D>;
  override async get(key: string, fallback?: unknown, options?: VersionOption): Promise<unknown> {
    const { version } = getOptions(key, fallback, options);
    this.makeAndValidateKey(key, version);
    return fallback;
  }

  override async set(key: string, _value: unknown, timeout?: Timeout, options?: StoreOptions) {
    const { version } = storeOptions('set', options);
    this.makeAndValidateKey(key, version);
    this.resolveTimeout(timeout, key);
  }

  override async add(key: string, _value: unknown, timeout?: Timeout, options?: StoreOptions) {
    const { version } = storeOptions('add', options);
    this.makeAndValidateKey(key, version);
    this.resolveTimeout(timeout, key);
    return true;
  }

  override async touch(key: string, timeout?: Timeout, options?: VersionOption) {
    const { version } = versionOptions('touch', options);
    this.makeAndValidateKey(key, version);
    this.resolveTimeout(timeout, key);
    return false;
  }

  override async delete(key: string, options?: VersionOption) {
    const { version } = versionOptions('delete', options);
    this.makeAndValidateKey(key, version);
    return false;
  }

  override async clear() {}

  /** @internal */
  override getOrSetAtOnce<T>(
    key: string,
    make: () => T,
    _timeout: Timeout,
    { version }: AtOnceOptions<T>,
  ): T {
    this.makeAndValidateKey(key, version);
    return make();
  }
}
