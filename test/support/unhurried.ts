/**
 * Deadlines that no machine is too slow to meet, and still shorter than Jest's patience with a
 * test: for all that is not about deadlines.
 */
export const UNHURRIED = { readTimeoutMs: 20_000, writeTimeoutMs: 20_000 } as const;

/** The same for Memcached, which has a deadline for connections as well. */
export const UNHURRIED_MEMCACHED = { ...UNHURRIED, connectTimeoutMs: 20_000 } as const;
