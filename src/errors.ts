/**
 * A cache is configured wrongly: its alias is unknown, its backend cannot be loaded, or one of
 * its settings makes no sense.
 *
 * @see Django's `InvalidCacheBackendError`
 */
export class InvalidCacheBackendError extends Error {
  override readonly name = 'InvalidCacheBackendError';
  readonly code = 'ERR_CACHE_BACKEND';

  constructor(
    message: string,
    /** The alias concerned, where one is. */
    readonly alias?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * The key cannot be used on this backend, whatever the value. Backends that can live with such a
 * key emit a {@link CacheKeyWarning} instead.
 *
 * @see Django's `InvalidCacheKey`
 */
export class InvalidCacheKeyError extends Error {
  override readonly name = 'InvalidCacheKeyError';
  readonly code = 'ERR_CACHE_KEY';

  constructor(
    message: string,
    /** The final key, prefix and version included. */
    readonly key: string,
  ) {
    super(message);
  }
}

/** `incr`, `decr`, `incrVersion` or `decrVersion` was asked for a key that has no live entry. */
export class CacheKeyNotFoundError extends Error {
  override readonly name = 'CacheKeyNotFoundError';
  readonly code = 'ERR_CACHE_KEY_NOT_FOUND';

  constructor(
    /** The caller's key. */
    readonly key: string,
    method: string,
  ) {
    super(
      `${method}(${JSON.stringify(key)}): no entry has this key. Store one first, for example with add().`,
    );
  }
}

/**
 * The value cannot be stored (a function, a symbol, a cycle, `undefined`, …), or is not of the
 * kind an operation needs (a number, for `incr`). Nothing was stored.
 */
export class CacheValueError extends TypeError {
  override readonly name = 'CacheValueError';
  readonly code = 'ERR_CACHE_VALUE';

  constructor(
    message: string,
    /** The caller's key, where it is known. */
    readonly key?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * A server behind a cache did not answer: it refused, or took longer than the deadline, or it has
 * failed so often that it is left alone for now, or too much is under way to it already.
 */
export class CacheUnavailableError extends Error {
  override readonly name = 'CacheUnavailableError';
  readonly code = 'ERR_CACHE_UNAVAILABLE';

  constructor(
    message: string,
    /**
     * `timeout`: no answer within the deadline. `open`: left alone after a row of failures.
     * `overload`: more operations under way than `options.maxPending`. `refused`: no connection.
     */
    readonly reason: 'timeout' | 'open' | 'overload' | 'refused',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A lock was held by another for longer than its caller would wait. */
export class CacheLockedError extends Error {
  override readonly name = 'CacheLockedError';
  readonly code = 'ERR_CACHE_LOCKED';

  constructor(
    /** The caller's key. */
    readonly key: string,
    waitMs: number,
  ) {
    super(`The lock ${JSON.stringify(key)} was not free within ${waitMs} ms (options.waitMs).`);
  }
}

/** A custom backend lacks one of the six methods every backend must bring. */
export class CacheMethodNotImplementedError extends Error {
  override readonly name = 'CacheMethodNotImplementedError';
  readonly code = 'ERR_CACHE_NOT_IMPLEMENTED';

  constructor(
    readonly method: string,
    backend: string,
  ) {
    super(
      `${backend} does not implement ${method}(). Custom backends extend BaseCache and bring it.`,
    );
  }
}

/**
 * A process warning: the key works here but would not on Memcached. Silence it with
 * `process.on('warning', …)` and `--no-warnings`, or by overriding `validateKey()`.
 *
 * @see Django's `CacheKeyWarning`
 */
export class CacheKeyWarning extends Error {
  override readonly name = 'CacheKeyWarning';
  readonly code = 'CACHEWRIGHT_KEY';
}
