import { type HeaderValue, headerLines } from './header-value';

const ENTITY_TAG = /^(?:W\/)?"[^"]*"$/;

/**
 * The entity tags of an `If-Match` or `If-None-Match` field, quotes and `W/` included. What is no
 * tag is skipped.
 *
 * @returns `['*']` for a field that is just `*`.
 * @see RFC 9110 §8.8.3; Django's `parse_etags`
 */
export function parseEtags(value: HeaderValue): string[] {
  const text = headerLines(value).join(', ');
  if (text.trim() === '*') return ['*'];
  const tags: string[] = [];
  let start = 0;
  while (start < text.length) {
    const end = elementEnd(text, start);
    const element = text.slice(start, end).trim();
    if (ENTITY_TAG.test(element)) tags.push(element);
    start = end + 1;
  }
  return tags;
}

/** The index of the comma, or the end of `text`, that ends the element from `start` on. */
function elementEnd(text: string, start: number): number {
  let isInTag = false;
  for (let i = start; i < text.length; i++) {
    if (text[i] === '"') isInTag = !isInTag;
    // Unlike Django, which splits at every comma: one may be part of a tag.
    if (text[i] === ',' && !isInTag) return i;
  }
  return text.length;
}

/**
 * Puts `tag` in quotes unless it has them; a weak tag such as `W/"v1"` stays as it is.
 *
 * @throws TypeError If `tag` holds what no entity tag can.
 * @see Django's `quote_etag`
 */
export function quoteEtag(tag: string): string {
  const quoted = ENTITY_TAG.test(tag) ? tag : `"${tag}"`;
  // The quote that ends it is the only one; the rest is what a header can hold.
  if (ENTITY_TAG.test(quoted) && /^[\x20-\x7e\x80-\xff]*$/.test(quoted)) return quoted;
  throw new TypeError(
    `The ETag ${JSON.stringify(tag)} holds a quote, a control character or one beyond Latin-1. Give a hash of it instead.`,
  );
}

/**
 * Whether `etag` is among `tags` and means equality byte by byte.
 *
 * @see RFC 9110 §8.8.3.2
 */
export function matchesStrongly(etag: string, tags: readonly string[]): boolean {
  return !etag.startsWith('W/') && tags.includes(etag);
}

/** Whether `etag` is among `tags`, weak or not. */
export function matchesWeakly(etag: string, tags: readonly string[]): boolean {
  const wanted = opaqueTag(etag);
  return tags.some((tag) => opaqueTag(tag) === wanted);
}

function opaqueTag(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag;
}
