import type { ServerResponse } from 'node:http';
import {
  type CacheControl,
  type Directive,
  directiveSeconds,
  hasDirective,
  isNamed,
  parseCacheControl,
  stringifyCacheControl,
} from '../http/cache-control';
import { remembering } from '../memo';
import { type CacheControlDirectives, toDirectives } from './cache-control-options';
import type { Response } from './middleware';

/**
 * Adds directives to the response's `Cache-Control`; those already there stay.
 *
 * Of two `max-age`, the smaller is kept. `public` takes the place of `private`, and the other way
 * round. `no-cache` for single header fields accumulates, until a bare one covers them all.
 *
 * @throws TypeError If `directives` is no object of directives, or one is misspelt or cannot be sent.
 * @see Django's `patch_cache_control`
 */
export function patchCacheControl(response: Response, directives: CacheControlDirectives): void {
  addDirectives(response, toDirectives(directives, 'patchCacheControl()'));
}

/** {@link patchCacheControl} for directives that were checked before. */
export function addDirectives(response: Response, added: readonly Directive[]): void {
  if (added.length === 0) return;
  const res = response as ServerResponse;
  const value = res.getHeader('Cache-Control');
  if (value !== undefined && typeof value !== 'string') {
    res.setHeader('Cache-Control', withDirectives(parseCacheControl(value), added));
    return;
  }
  res.setHeader('Cache-Control', patched(`${stringifyCacheControl(added)}\n${value ?? ''}`));
}

/**
 * A site adds the same few to the same few all the time. Those that are added are the first line, which
 * none of them can break; what is on a response of HTTP/2, Node does not check.
 */
const patched = remembering(200, (question) => {
  const end = question.indexOf('\n');
  const added = parseCacheControl(question.slice(0, end));
  return withDirectives(parseCacheControl(question.slice(end + 1)), added);
});

function withDirectives(existing: CacheControl, added: readonly Directive[]): string {
  return stringifyCacheControl(added.reduce(merge, withoutOpposite(existing, added)));
}

/**
 * The response's `max-age` in seconds, `undefined` if it has none that is valid.
 *
 * @see Django's `get_max_age`
 */
export function getMaxAge(response: Response): number | undefined {
  const value = (response as ServerResponse).getHeader('Cache-Control');
  return directiveSeconds(parseCacheControl(value), 'max-age');
}

function withoutOpposite(existing: CacheControl, added: CacheControl): CacheControl {
  // One only: who asks for both at once gets both.
  if (hasDirective(existing, 'private') && hasDirective(added, 'public')) {
    return without(existing, 'private');
  }
  if (hasDirective(existing, 'public') && hasDirective(added, 'private')) {
    return without(existing, 'public');
  }
  return existing;
}

function merge(directives: CacheControl, added: Directive): CacheControl {
  if (added.name === 'no-cache') return mergeNoCache(directives, added);
  if (added.name === 'max-age') {
    const seconds = directiveSeconds(directives, 'max-age') ?? Number.POSITIVE_INFINITY;
    return replace(directives, { ...added, value: smaller(seconds, added.value!) });
  }
  return replace(directives, added);
}

function smaller(existing: number, added: string): string {
  return existing < Number(added) ? String(existing) : added;
}

function mergeNoCache(directives: CacheControl, added: Directive): CacheControl {
  const present = directives.filter((directive) => isNamed(directive, 'no-cache'));
  const coversAll = ({ value }: Directive) => value === undefined;
  if (coversAll(added) || present.some(coversAll)) {
    return replace(directives, { name: 'no-cache', value: undefined });
  }
  return present.some(({ value }) => value === added.value) ? directives : [...directives, added];
}

/** Puts `added` where the first directive of its name was, or last. */
function replace(directives: CacheControl, added: Directive): CacheControl {
  const index = directives.findIndex((directive) => isNamed(directive, added.name));
  if (index === -1) return [...directives, added];
  return [...directives.slice(0, index), added, ...without(directives.slice(index), added.name)];
}

function without(directives: CacheControl, name: string): CacheControl {
  return directives.filter((directive) => !isNamed(directive, name));
}
