import type { RenderScope } from '../cache/render-scope';
import type { Response } from '../headers/middleware';
import { addTags } from './cache-tags';

const SCOPE = Symbol('cachewright.scope');

interface ScopedResponse {
  [SCOPE]?: PageScope;
}

/** A page that is being rendered, for all caches that may store it. */
export class PageScope implements RenderScope {
  readonly #res: Response;
  #expiresAt = Number.POSITIVE_INFINITY;

  private constructor(res: Response) {
    this.#res = res;
  }

  static of(res: Response): PageScope {
    const scoped = res as ScopedResponse;
    scoped[SCOPE] ??= new PageScope(res);
    return scoped[SCOPE];
  }

  addTags(tags: readonly string[]): void {
    addTags(this.#res, tags);
  }

  addExpiry(expiresAt: number | null): void {
    if (expiresAt !== null) this.#expiresAt = Math.min(this.#expiresAt, expiresAt);
  }

  /** Seconds for which the fragments let the page be stored. */
  maxSeconds({ limitToFragments }: { readonly limitToFragments: boolean }): number {
    return limitToFragments ? this.secondsLeft(Date.now()) : Number.POSITIVE_INFINITY;
  }

  /** Seconds until the first of the fragments expires that the page shows so far, at least 0. */
  secondsLeft(now: number): number {
    return Math.max(0, Math.floor((this.#expiresAt - now) / 1000));
  }
}
