/** A server that is down fails each operation; telling of it once a minute is enough. */
const INTERVAL_MS = 60_000;

const warnedAt = new Map<string, number>();

/** Emits a process warning, unless one of the same `kind` went out within the last minute. */
export function warnSeldom(
  kind: string,
  message: string,
  options: { readonly type: string; readonly code: string },
): void {
  const now = Date.now();
  // A clock that was set back must not silence it for longer.
  if (Math.abs(now - (warnedAt.get(kind) ?? Number.NEGATIVE_INFINITY)) < INTERVAL_MS) return;
  warnedAt.set(kind, now);
  process.emitWarning(message, options);
}
