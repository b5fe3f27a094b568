/** Options of a local tier over a shared cache. */
export interface TieredOptions {
  /**
   * Memory that the local tier may take, in bytes, keys and a fixed overhead included. What is asked
   * for once gives way to what is asked for often.
   *
   * @defaultValue 67 108 864 (64 MiB)
   */
  readonly maxBytes?: number;

  /**
   * Seconds after which something in the local tier is read from the shared cache again: how late a
   * change can be noticed that was made past all tiered caches, or an eviction.
   *
   * @defaultValue 5
   */
  readonly maxAge?: number;

  /**
   * Milliseconds for which a process trusts its local tier after it last found the shared cache
   * reachable; three times as often it asks. Whoever purges waits no longer than that for processes
   * that do not answer, and always where the shared cache carries no messages. Give the same to
   * all processes.
   *
   * @defaultValue 1000
   */
  readonly trustMs?: number;
}

const DEFAULTS = { maxBytes: 64 * 1024 * 1024, maxAge: 5, trustMs: 1000 };

/** The options, none left out. @throws TypeError if one makes no sense. */
export function resolveTieredOptions(options: TieredOptions): Required<TieredOptions> {
  const all = { ...DEFAULTS, ...options };
  if (!Number.isSafeInteger(all.maxBytes) || all.maxBytes <= 0) {
    throw new TypeError(
      `options.maxBytes is ${JSON.stringify(all.maxBytes)}. Give whole bytes above 0.`,
    );
  }
  for (const name of ['maxAge', 'trustMs'] as const) {
    const value = all[name];
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) continue;
    throw new TypeError(`options.${name} is ${JSON.stringify(value)}. Give a number above 0.`);
  }
  return all;
}
