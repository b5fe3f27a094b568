import type { BaseCache } from '../cache/base-cache';
import type { Version } from '../cache/keys';
import { currentScope, followRenders, runInScope } from '../cache/render-scope';
import { tagNames } from '../cache/tag-names';
import { caches } from '../caches';
import { makeTemplateFragmentKey } from './fragment-key';
import { FragmentScope } from './fragment-scope';
import { fragmentSeconds } from './fragment-timeout';
import { tellFragment } from './outcomes';
import { type Fragment, storedFragment } from './stored-fragment';

/** Options of {@link cacheFragment}. */
export interface FragmentOptions {
  /**
   * Where the fragment is kept: an alias, or a backend.
   *
   * @defaultValue the alias `template_fragments` if there is one, else `default`
   */
  readonly using?: string | BaseCache;
  /** @defaultValue the alias's `version` */
  readonly version?: Version;
  /**
   * Tags by which the fragment can be purged; the page and the fragments that show it have them,
   * too. Those known only as it is rendered go to `cacheTags('product:42')`.
   */
  readonly tags?: readonly string[];
}

/**
 * Part of a page, from the cache or rendered and stored. Of those who want it at the same time, one
 * renders it. A fragment that throws is not stored, and all who wait for it get the error. A cache
 * that fails is told of by a process warning, `CACHEWRIGHT_FRAGMENT`, and the fragment rendered.
 *
 * Nothing of the visitor is in its key but what `varyOn` says: what depends on the language or the
 * user must name them.
 *
 * @param timeout - Seconds, also as text; fractions are cut. `null`: no expiry; `0` or less:
 *   rendered each time.
 * @param name - Tells the fragment from others, in all templates.
 * @param varyOn - What makes another fragment of the same name; see {@link makeTemplateFragmentKey}.
 * @param render - Makes it.
 * @throws TypeError if an argument makes no sense; {@link InvalidCacheBackendError} if the alias is
 *   unknown; {@link InvalidCacheKeyError} if the backend cannot have a fragment of this name; what
 *   `render` throws.
 * @see Django's `{% cache %}`
 * @example
 * const sidebar = await cacheFragment(500, 'sidebar', [user.name], () => renderSidebar(user), {
 *   tags: [`user:${user.id}`],
 * });
 */
export async function cacheFragment(
  timeout: number | string | null,
  name: string,
  varyOn: Iterable<unknown> | undefined,
  render: () => string | Promise<string>,
  { using, version, tags = [] }: FragmentOptions = {},
): Promise<string> {
  followRenders();
  const key = makeTemplateFragmentKey(name, varyOn);
  const seconds = fragmentSeconds(timeout, name);
  const cache = fragmentCache(using);
  checkTags(tags, name, cache);
  const finalKey = cache.makeKey(key, version);
  const outer = currentScope();
  let scope: FragmentScope | undefined;
  const make = async (): Promise<Fragment> => {
    scope = new FragmentScope(cache, finalKey, outer);
    scope.addTags(tags);
    const html = await runInScope(scope, render);
    if (typeof html !== 'string') {
      throw new TypeError(
        `Fragment ${JSON.stringify(name)} came out as ${html === null ? 'null' : typeof html}. Return a string.`,
      );
    }
    const expiresAt = seconds === null ? null : Date.now() + seconds * 1000;
    // As it will be sent: half a character cannot be stored.
    return { html: html.toWellFormed(), tags: [...scope.tags], expiresAt };
  };
  const isExpired = seconds !== null && seconds <= 0;
  // Within itself it would wait for itself.
  const isOnce = isExpired || FragmentScope.isWithin(outer, cache, finalKey);
  const place = { cache, key, version, seconds };
  try {
    const fragment = (isOnce ? undefined : await storedFragment(place, make)) ?? (await make());
    tellFragment({ name, key, isHit: scope === undefined });
    outer?.addTags(fragment.tags);
    outer?.addExpiry(fragment.expiresAt);
    return fragment.html;
  } catch (error) {
    // What is shown in its place depends on them as well.
    outer?.addTags([...tags, ...(scope?.tags ?? [])]);
    throw error;
  }
}

/** The cache of fragments for which none is named. @throws InvalidCacheBackendError if unknown */
function fragmentCache(using: string | BaseCache | undefined): BaseCache {
  if (using === undefined) {
    return 'template_fragments' in caches
      ? (caches.template_fragments as BaseCache)
      : caches.default;
  }
  return typeof using === 'string' ? (caches[using] as BaseCache) : using;
}

/** Before anything is rendered. */
function checkTags(tags: readonly string[], name: string, cache: BaseCache): void {
  const what = `cacheFragment(${JSON.stringify(name)})`;
  tagNames(tags, what);
  if (tags.length > 0 && !cache.keepsTags) {
    throw new TypeError(
      `${what} got tags, but entries of ${cache.constructor.name} have none. Leave them out.`,
    );
  }
}
