import { hash } from 'node:crypto';
import { describe } from '../arguments/describe';
import { remembering } from '../memo';

/** The counter of everything. */
export const EVERYTHING = 'all';

/**
 * Counters for URLs, of which there is no end. A few of them share one, so that with one URL another
 * may be purged now and then.
 */
const URL_BUCKETS = 2 ** 17;

/** The same for prefixes, which are fewer, and seldom purged. */
const PREFIX_BUCKETS = 2 ** 14;

/** Counters for removals of pages by key, which only pages that are being made look at. */
const REMOVAL_BUCKETS = 2 ** 10;

/** What the keys of all pages begin with, as in Django. */
export const PAGE_KEY_STEM = 'views.decorators.cache.cache_page.';

/** The digest of a page's URL in its key, behind a prefix of the site's own. */
const URL_IN_PAGE_KEY = /\.(?:GET|HEAD)\.([\da-f]{32})\.[\da-f]{32}(?![\da-f])/;

/** Prefixes of a path that are told apart; what lies deeper is purged with the last of them. */
const MAX_DEPTH = 8;

/** The counter of a tag of the site's own. */
export function tagName(tag: string): string {
  if (typeof tag !== 'string' || tag === '') {
    throw new TypeError(`A tag is ${JSON.stringify(tag) ?? String(tag)}. Give a string.`);
  }
  return /^[\w-]{1,64}$/.test(tag) ? `t.${tag}` : `h.${hash('sha1', tag)}`;
}

/** The counters of tags of the site's own, each once. @param what - The method that was given them. */
export function tagNames(tags: Iterable<string>, what: string): string[] {
  // The letters of a text would do as tags.
  if (typeof tags !== 'object' || tags === null || !(Symbol.iterator in tags)) {
    const example = typeof tags === 'string' ? JSON.stringify(tags) : "'product:42'";
    throw new TypeError(`${what} got the tags ${describe(tags)}. Give a list: [${example}].`);
  }
  return [...new Set([...tags].map(tagName))];
}

/** The counter of this URL alone. @throws TypeError if it is not absolute. */
export function nameOfUrl(url: string): string {
  return bucketOfUrl(withoutFragment(checkAbsolute(url)));
}

/**
 * The counter of a group of pages, which are all of one origin.
 *
 * @param url - Absolute, of any page of the origin.
 * @see RFC 9875 §2.1
 */
export function nameOfGroup(url: string, group: string): string {
  // No origin has a space in it.
  return `g.${hash('sha1', `${originOf(url)} ${group}`)}`;
}

/**
 * The counter of all pages whose path begins so.
 *
 * @throws TypeError if it is neither a path nor an absolute URL, or does not end in a slash.
 */
export function nameOfPrefix(prefix: string): string {
  const path = String(prefix).startsWith('/') ? prefix : pathOf(checkPrefixUrl(prefix));
  if (!path.endsWith('/')) {
    throw new TypeError(
      `The prefix ${JSON.stringify(prefix)} does not end in a slash. Give whole directories of the path, as in "/shop/".`,
    );
  }
  const deepest = prefixesOf(path).at(-1);
  return deepest === undefined ? EVERYTHING : bucketOfPrefix(deepest);
}

/** Counters of all pages of this URL: of everything, the URL itself, and the paths above it. */
export function namesOfPage(url: string): string[] {
  const prefixes = prefixesOf(pathOf(url)).map(bucketOfPrefix);
  return [EVERYTHING, bucketOfUrl(url), ...prefixes];
}

/**
 * The counter of removals of this page by its key, in whichever variant; `undefined` if the key is
 * not that of a page.
 */
export function nameOfRemoval(key: string): string | undefined {
  if (key !== lastRemoval.key) {
    const digest = key.startsWith(PAGE_KEY_STEM) ? URL_IN_PAGE_KEY.exec(key)?.[1] : undefined;
    const name = digest === undefined ? undefined : bucketOf('k', digest, REMOVAL_BUCKETS);
    lastRemoval = { key, name };
  }
  return lastRemoval.name;
}

/** Who stores a page asks several times in a row. */
let lastRemoval: { readonly key: string; readonly name: string | undefined } = {
  key: '',
  name: undefined,
};

/** {@link nameOfRemoval} of all pages whose keys may begin so; none if no page's key does. */
export function namesOfRemovals(start: string): string[] {
  if (!PAGE_KEY_STEM.startsWith(start) && !start.startsWith(PAGE_KEY_STEM)) return [];
  return Array.from({ length: REMOVAL_BUCKETS }, (_, bucket) => `k.${bucket.toString(36)}`);
}

/** Whether it is a counter of {@link nameOfRemoval}. */
export function isOfRemoval(name: string): boolean {
  return name.startsWith('k.');
}

/** A URL without what makes no other page: a fragment, or a bare trailing `?`. */
export function withoutFragment(url: string): string {
  const fragment = url.indexOf('#');
  const page = fragment === -1 ? url : url.slice(0, fragment);
  return page.endsWith('?') && page.indexOf('?') === page.length - 1 ? page.slice(0, -1) : page;
}

function prefixesOf(path: string): string[] {
  const prefixes: string[] = [];
  for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
    prefixes.push(path.slice(0, end + 1));
    if (prefixes.length === MAX_DEPTH) break;
  }
  return prefixes;
}

function pathOf(url: string): string {
  return /^[^:]+:\/\/[^/]*([^?#]*)/.exec(url)?.[1] || '/';
}

/** Scheme, host and port, spelt as the origins that are the same are (RFC 9110 §4.3.1). */
function originOf(url: string): string {
  const origin = /^[^:]+:\/\/[^/?#]*/.exec(url)![0].toLowerCase();
  return origin.replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2');
}

function checkAbsolute(url: string): string {
  if (isAbsolute(url)) return url;
  throw new TypeError(
    `${JSON.stringify(url) ?? String(url)} is no absolute URL. Give it as the visitor's browser shows it, with its scheme and host.`,
  );
}

function checkPrefixUrl(prefix: string): string {
  if (isAbsolute(prefix)) return prefix;
  throw new TypeError(
    `The prefix ${JSON.stringify(prefix) ?? String(prefix)} is neither a path nor an absolute URL. Give one that begins with a slash, as in "/shop/".`,
  );
}

function isAbsolute(url: string): boolean {
  return /^[a-z][a-z\d+.-]*:\/\/[^/]/i.test(url);
}

/** The digest of a page's URL, in its key and its counters alike. */
export function digestOfUrl(url: string): string {
  if (url !== lastDigest.url) lastDigest = { url, digest: hash('md5', url) };
  return lastDigest.digest;
}

/** The key of a page is made out shortly before its counters are. */
let lastDigest = { url: '', digest: hash('md5', '') };

function bucketOfUrl(url: string): string {
  return bucketOf('u', digestOfUrl(url), URL_BUCKETS);
}

/** Most pages are in a few directories. */
const bucketOfPrefix = remembering(1000, (prefix) =>
  bucketOf('p', hash('md5', prefix), PREFIX_BUCKETS),
);

function bucketOf(kind: string, digest: string, buckets: number): string {
  return `${kind}.${(Number.parseInt(digest.slice(0, 8), 16) % buckets).toString(36)}`;
}
