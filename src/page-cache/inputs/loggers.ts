const NAMES = new Set<string | symbol>(['log', 'logger']);

const METHODS = ['debug', 'info', 'warn', 'error', 'child'] as const;

/**
 * Whether a property is a logger of its own for each request, as pino-http and bunyan leave one on
 * `req.log`. Handlers write to it, and no page depends on it.
 */
export function isLogger(key: string | symbol, value: unknown): boolean {
  if (!NAMES.has(key) || typeof value !== 'object' || value === null) return false;
  const methods = value as Record<string, unknown>;
  return METHODS.every((name) => typeof methods[name] === 'function');
}
