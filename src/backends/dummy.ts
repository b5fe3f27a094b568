import { BaseCache, type VersionOption } from '../cache/base-cache';
import type { Timeout } from '../cache/timeouts';

/**
 * Keeps nothing, so that a site can run without a cache and without a change to its code.
 *
 * @see Django's `DummyCache`
 */
export class DummyCache extends BaseCache {
  override get<T = unknown>(key: string): Promise<T | undefined>;
  override get<T = unknown, D = T>(
    key: string,
    fallback: D,
    options?: VersionOption,
  ): Promise<T | D>;
  override async get(
    key: string,
    fallback?: unknown,
    { version }: VersionOption = {},
  ): Promise<unknown> {
    this.makeAndValidateKey(key, version);
    return fallback;
  }

  override async set(
    key: string,
    _value: unknown,
    _timeout?: Timeout,
    { version }: VersionOption = {},
  ) {
    this.makeAndValidateKey(key, version);
  }

  override async add(
    key: string,
    _value: unknown,
    _timeout?: Timeout,
    { version }: VersionOption = {},
  ) {
    this.makeAndValidateKey(key, version);
    return true;
  }

  override async touch(key: string, _timeout?: Timeout, { version }: VersionOption = {}) {
    this.makeAndValidateKey(key, version);
    return false;
  }

  override async delete(key: string, { version }: VersionOption = {}) {
    this.makeAndValidateKey(key, version);
    return false;
  }

  override async clear() {}
}
