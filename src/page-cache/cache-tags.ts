import type { ServerResponse } from 'node:http';
import { describe } from '../arguments/describe';
import { currentScope, followedScope, followRenders } from '../cache/render-scope';
import type { Response } from '../headers/middleware';
import { onResponseHead } from '../headers/on-response-head';
import { type HeaderValue, headerLines } from '../http/header-value';
import type { PageSettings } from './page-settings';

declare global {
  // The way in which Express lets others add to its response.
  namespace Express {
    interface Response {
      /** See {@link cacheTags}. */
      cacheTags(...tags: string[]): void;
    }
  }
}

const TAGS = Symbol('cachewright.tags');

interface TaggedResponse {
  [TAGS]?: Set<string>;
  cacheTags?: (...tags: string[]) => void;
}

/**
 * Gives tags to what is being rendered, by which it can be purged with
 * `caches.default.invalidateTags([…])`: to the fragment, or fragments, in which it is called, and to
 * the page. On a page that is not cached it does nothing. In Express it is a method of the
 * response, too: `res.cacheTags('product:42')`.
 *
 * @param res - Left out, it is the page in whose handler this is called, across `await` as well, but
 *   not across callbacks of packages that keep a queue of their own.
 * @throws TypeError if a tag is not a string, or is empty.
 */
export function cacheTags(res: Response, ...tags: string[]): void;
export function cacheTags(...tags: string[]): void;
export function cacheTags(first: Response | string, ...others: string[]): void {
  if (typeof first === 'string') {
    const tags = [first, ...others];
    checkTags(tags);
    followRenders();
    currentScope()?.addTags(tags);
    return;
  }
  if (typeof first !== 'object' || first === null) {
    throw new TypeError(
      `cacheTags() got ${describe(first)} as a tag. Give strings: cacheTags('product:42').`,
    );
  }
  checkTags(others);
  addTags(first, others);
  // Of the pages, it is the one that is named.
  followedScope()?.addTags(others);
}

/** Gives tags to a response alone. */
export function addTags(res: Response, tags: readonly string[]): void {
  const tagged = res as TaggedResponse;
  tagged[TAGS] ??= new Set();
  for (const tag of tags) tagged[TAGS].add(tag);
}

function checkTags(tags: readonly unknown[]): void {
  for (const tag of tags) {
    if (typeof tag === 'object' && tag !== null && 'getHeader' in tag) {
      throw new TypeError(
        "cacheTags() got a response behind a tag. The response comes first: cacheTags(res, 'product:42').",
      );
    }
    if (typeof tag !== 'string' || tag === '') {
      throw new TypeError(`cacheTags() got ${describe(tag)}. Give strings.`);
    }
  }
}

/** Gives the response its method `cacheTags`. */
export function offerCacheTags(res: Response): void {
  (res as TaggedResponse).cacheTags = boundCacheTags;
}

function boundCacheTags(this: Response, ...tags: string[]): void {
  cacheTags(this, ...tags);
}

/** The tags that the response was given, or that its headers name, which are taken from it. */
export function takeCacheTags(res: ServerResponse, { tagHeaders }: PageSettings): void {
  const lists: [string, RegExp][] = [
    ['Cache-Tag', /,/],
    ['Surrogate-Key', /\s+/],
  ];
  for (const [name, separator] of lists) {
    const value = res.getHeader(name) as HeaderValue;
    if (value === undefined) continue;
    const tags = headerLines(value).flatMap((line) => line.split(separator));
    addTags(
      res,
      tags.map((tag) => tag.trim()).filter((tag) => tag !== ''),
    );
    if (tagHeaders === 'strip') res.removeHeader(name);
  }
}

/** Sees to it that clients see no tags on a response that is none of the cache's business. */
export function hideTagHeaders(res: Response, settings: PageSettings): void {
  if (settings.tagHeaders === 'keep') return;
  const response = res as ServerResponse;
  onResponseHead(response, () => takeCacheTags(response, settings));
}

export function tagsOf(res: Response): string[] {
  return [...((res as TaggedResponse)[TAGS] ?? [])];
}
