import { type HeaderValue, headerLines } from './header-value';

/** Fields that concern one connection, not the response. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Tells which fields a cache must not store: those of one connection, and those that `Connection`
 * names.
 *
 * @see RFC 9111 §3.1
 */
export function hopByHopFields(connection: HeaderValue): (name: string) => boolean {
  const named = new Set(
    headerLines(connection).flatMap((line) =>
      line.split(',').map((name) => name.trim().toLowerCase()),
    ),
  );
  return (name) => HOP_BY_HOP.has(name) || named.has(name);
}
