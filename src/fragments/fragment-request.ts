import { BaseCache } from '../cache/base-cache';
import type { Version } from '../cache/keys';
import { currentScope, followRenders, type RenderScope, runInScope } from '../cache/render-scope';
import { tagNames } from '../cache/tag-names';
import { caches } from '../caches';
import { InvalidCacheBackendError } from '../errors';
import { makeTemplateFragmentKey } from './fragment-key';
import { FragmentScope } from './fragment-scope';
import { fragmentSeconds } from './fragment-timeout';
import { tellFragment } from './outcomes';
import { RenderFailure } from './render-failure';
import type { Fragment, FragmentPlace } from './stored-fragment';

/** Options of `cacheFragment`. */
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

/** A fragment that is asked for, somewhere in a page or in another one. */
export class FragmentRequest {
  readonly place: FragmentPlace;
  /** Whether it is to be rendered here, whatever is stored. */
  readonly isOnce: boolean;
  readonly #name: string;
  readonly #finalKey: string;
  readonly #tags: readonly string[];
  readonly #outer: RenderScope | undefined;
  #scope: FragmentScope | undefined;

  /** @throws as `cacheFragment` does of its arguments */
  constructor(
    timeout: unknown,
    name: string,
    varyOn: Iterable<unknown> | undefined,
    { using, version, tags = [] }: FragmentOptions,
  ) {
    followRenders();
    const key = makeTemplateFragmentKey(name, varyOn);
    const seconds = fragmentSeconds(timeout, name);
    const cache = fragmentCache(using);
    checkTags(tags, name, cache);
    this.#name = name;
    this.#tags = tags;
    this.#finalKey = cache.makeKey(key, version);
    this.#outer = currentScope();
    this.place = { cache, key, version, seconds };
    const isExpired = seconds !== null && seconds <= 0;
    // Within itself it would wait for itself.
    this.isOnce = isExpired || FragmentScope.isWithin(this.#outer, cache, this.#finalKey);
  }

  /** Calls `render`, during which the tags that are given are this fragment's. */
  enter<T>(render: () => T): T {
    this.#scope = new FragmentScope(this.place.cache, this.#finalKey, this.#outer);
    this.#scope.addTags(this.#tags);
    return runInScope(this.#scope, render);
  }

  /** What is to be stored, once it is rendered. @throws TypeError if it is no string */
  made(html: unknown): Fragment {
    if (typeof html !== 'string') {
      throw new TypeError(
        `Fragment ${JSON.stringify(this.#name)} came out as ${html === null ? 'null' : typeof html}. Return a string.`,
      );
    }
    const { seconds } = this.place;
    const expiresAt = seconds === null ? null : Date.now() + seconds * 1000;
    // As it will be sent: half a character cannot be stored.
    return { html: html.toWellFormed(), tags: [...this.#scope!.tags], expiresAt };
  }

  /** Puts it in what is around it. */
  show({ html, tags, expiresAt }: Fragment): string {
    const { key } = this.place;
    tellFragment({ name: this.#name, key, isHit: this.#scope === undefined });
    this.#outer?.addTags(tags);
    this.#outer?.addExpiry(expiresAt);
    return html;
  }

  /** What tells all who wait that it could not be rendered. */
  failure(thrown: unknown): RenderFailure {
    return new RenderFailure(thrown, [...(this.#scope?.tags ?? [])]);
  }

  /** Told why it cannot be shown. @returns what to throw */
  failed(error: unknown): unknown {
    const isFailure = error instanceof RenderFailure;
    // What is shown in its place depends on them as well.
    this.#outer?.addTags([...this.#tags, ...(isFailure ? error.tags : [])]);
    return isFailure ? error.cause : error;
  }
}

/** The cache of fragments for which none is named. @throws InvalidCacheBackendError if unknown */
function fragmentCache(using: string | BaseCache | undefined): BaseCache {
  if (using === undefined) {
    return 'template_fragments' in caches
      ? (caches.template_fragments as BaseCache)
      : caches.default;
  }
  const cache: unknown = typeof using === 'string' ? caches[using] : using;
  // Names of what else `caches` has are those of no cache.
  if (cache instanceof BaseCache) return cache;
  const alias = String(using);
  throw new InvalidCacheBackendError(
    `${JSON.stringify(alias)} is no cache to keep fragments in. Give the alias of one, or the cache itself.`,
    alias,
  );
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
