/** What a cache did with a request. */
export interface CacheOutcome {
  /** Whether a stored response was sent without asking the handlers. */
  readonly hit?: boolean;
  /** Why the handlers were asked. `miss`: there was no telling what was missing. */
  readonly fwd?: 'bypass' | 'method' | 'miss' | 'uri-miss' | 'vary-miss' | 'request' | 'stale';
  /** What they answered, where that is not what the client got. */
  readonly fwdStatus?: number;
  /** Whether their answer was stored. */
  readonly stored?: boolean;
  /** Whether the request shared the answer to another. */
  readonly collapsed?: boolean;
  /** Seconds for which the response is still fresh; negative: for which it has been stale. */
  readonly ttl?: number;
  /** What else there is to tell, above all why the answer was not stored. */
  readonly detail?: string;
  /** The input of the page that decided, such as `req.ip`. */
  readonly input?: string;
  /** The file that has read it. It is never sent to clients. */
  readonly reader?: string;
}

/**
 * Writes an outcome as a member of `Cache-Status`.
 *
 * @param name - What the cache calls itself.
 * @see RFC 9211 §2
 */
export function formatCacheStatus(name: string, outcome: CacheOutcome): string {
  const { hit, fwd, fwdStatus, stored, collapsed, ttl, detail, input } = outcome;
  let text = name;
  if (hit) text += '; hit';
  else if (fwd !== undefined) text += `; fwd=${fwd}`;
  if (fwdStatus !== undefined) text += `; fwd-status=${fwdStatus}`;
  if (stored) text += '; stored';
  if (collapsed) text += '; collapsed';
  if (ttl !== undefined) text += `; ttl=${ttl}`;
  if (detail !== undefined) text += `; detail=${detail}`;
  if (input !== undefined) text += `; input="${input.replace(/[^\w.$\-*%()]/g, '?')}"`;
  return text;
}
