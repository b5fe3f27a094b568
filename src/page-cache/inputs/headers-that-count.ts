/**
 * Request headers that no page depends on: the cache answers them itself or removes them, or they belong
 * to the connection. `Host` is part of the target (RFC 9110 §7.6.1, §13, §14; RFC 9111 §5.2, §5.4).
 */
const NEVER = new Set([
  ...['connection', 'content-length', 'expect', 'host', 'http2-settings', 'keep-alive'],
  ...['proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'],
  ...['cache-control', 'pragma', 'range'],
]);

/** Whether a header counts as an input when it is read. `name` is in lower case. */
export function countsWhenRead(name: string): boolean {
  return !NEVER.has(name) && !name.startsWith(':');
}

/** Whether a name could be that of a header field. */
export function isFieldName(name: string): boolean {
  return /^[!#-'*+\-.^`|~\da-z_]+$/.test(name);
}
