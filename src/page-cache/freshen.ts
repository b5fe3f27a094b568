import type { ServerResponse } from 'node:http';
import { matchesWeakly } from '../http/entity-tags';
import { type HeaderValue, headerLines } from '../http/header-value';
import { hopByHopFields } from '../http/hop-by-hop';
import { formatHttpDate } from '../http/http-date';
import { parseVary } from '../http/vary';
import type { Head } from './head-changes';
import type { FieldList, StoredResponse } from './stored-response';

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
 * The fields of a stored response, brought up to date by a head that confirms it: the fields that
 * were sent take the place of those stored.
 *
 * @param head - The fields that the code inside has sent.
 * @see RFC 9111 §3.2, §4.3.4
 */
export function updatedFields(
  stored: StoredResponse,
  head: Head,
  res: ServerResponse,
  now: number,
): FieldList {
  const isHopByHop = hopByHopFields(res.getHeader('connection') as string | undefined);
  const sent = new Map<string, string | readonly string[]>();
  for (const [name, value] of head) {
    if (isHopByHop(name) || OF_THE_BODY.has(name)) continue;
    sent.set(name, value);
  }
  // The date of the head, which Node adds only as it is sent.
  if (res.sendDate && !sent.has('date')) sent.set('date', formatHttpDate(now));
  const vary = varyOfBoth(stored.field('vary'), res.getHeader('vary') as HeaderValue);
  if (vary !== '') sent.set('vary', vary);
  const fields: (string | readonly string[])[] = [];
  for (let i = 0; i < stored.fields.length; i += 2) {
    const name = stored.fields[i] as string;
    const update = sent.get(name.toLowerCase());
    sent.delete(name.toLowerCase());
    // Its age was counted from an older date.
    if (update === undefined && name.toLowerCase() === 'age') continue;
    fields.push(name, update ?? stored.fields[i + 1]!);
  }
  for (const [name, value] of sent) fields.push(name, value);
  return fields;
}

/**
 * Handlers that confirm a page may not have come to read all that they read to make it, so that
 * nothing is struck off the list.
 */
function varyOfBoth(stored: HeaderValue, sent: HeaderValue): string {
  return parseVary([...headerLines(stored), ...headerLines(sent)]).join(', ');
}

/** Whether a 304 is about the stored response, by its validators if it has any. */
export function isAbout(stored: StoredResponse, res: ServerResponse): boolean {
  const etag = res.getHeader('etag');
  const storedEtag = stored.field('etag');
  if (etag !== undefined && storedEtag !== undefined) {
    return matchesWeakly(String(etag), [String(storedEtag)]);
  }
  const lastModified = res.getHeader('last-modified');
  const storedLastModified = stored.field('last-modified') ?? lastModified;
  return lastModified === undefined || String(lastModified) === String(storedLastModified);
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
