import type { ServerResponse } from 'node:http';
import { hopByHopFields } from '../http/hop-by-hop';
import { ageOrigin, judgeResponse, type RequestFacts } from './page-policy';
import type { PageSettings } from './page-settings';
import { fieldOf, StoredResponse } from './stored-response';

/**
 * Fields of a stored response that belong to its body as it is kept here, and the tag under which
 * that was confirmed: what confirms it brings no body that others could fit.
 */
const OF_THE_BODY = new Set([
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'etag',
]);

/**
 * Brings a stored response up to date by the head of one that confirms it: the fields that were
 * sent take the place of those stored, and its life begins anew.
 *
 * @returns the response to send, and whether its new fields still let it be stored.
 * @see RFC 9111 §3.2, §4.3.4; Django stores no 304
 */
export function freshen(
  stored: StoredResponse,
  res: ServerResponse,
  settings: PageSettings,
  facts: RequestFacts,
  now: number,
): { readonly response: StoredResponse; readonly isStorable: boolean } {
  const isHopByHop = hopByHopFields(res.getHeader('connection') as string | undefined);
  const sent = new Map<string, [name: string, value: string | readonly string[]]>();
  for (const name of res.getHeaderNames()) {
    if (isHopByHop(name) || OF_THE_BODY.has(name)) continue;
    const value = res.getHeader(name)!;
    sent.set(name, [name, Array.isArray(value) ? value : String(value)]);
  }
  const fields: (string | readonly string[])[] = [];
  for (let i = 0; i < stored.fields.length; i += 2) {
    const name = stored.fields[i] as string;
    const update = sent.get(name.toLowerCase());
    sent.delete(name.toLowerCase());
    // Its age was counted from an older date.
    if (update === undefined && name.toLowerCase() === 'age') continue;
    fields.push(name, update === undefined ? stored.fields[i + 1]! : update[1]);
  }
  for (const [name, value] of sent.values()) fields.push(name, value);

  const field = (name: string) => fieldOf(fields, name);
  const { terms, patchSeconds } = judgeResponse(stored.status, field, settings, facts);
  const lifetime = terms?.seconds ?? 0;
  const response = new StoredResponse({
    status: stored.status,
    reason: stored.reason,
    body: stored.body,
    fields,
    storedAt: now,
    staleAt: now + lifetime * 1000,
    ageFrom: terms && ageOrigin(field, patchSeconds !== undefined, now, terms),
    staleWhileRevalidate: terms?.staleWhileRevalidate ?? 0,
    staleIfError: terms?.staleIfError ?? 0,
    mustRevalidate: terms?.mustRevalidate ?? false,
    alwaysValidate: terms?.alwaysValidate ?? false,
  });
  return { response, isStorable: terms !== undefined };
}

/**
 * Whether the head in answer to HEAD belongs to the stored GET, by its validators and length.
 *
 * @see RFC 9111 §4.3.5
 */
export function isSameRepresentation(stored: StoredResponse, res: ServerResponse): boolean {
  return ['etag', 'last-modified', 'content-length'].every((name) => {
    const sent = res.getHeader(name);
    return sent === undefined || String(sent) === String(stored.field(name) ?? sent);
  });
}
