import type { BaseCache } from '../cache/base-cache';
import type { RenderScope } from '../cache/render-scope';

/** A fragment that is being rendered. */
export class FragmentScope implements RenderScope {
  /** Its own tags, and those of the fragments in it. */
  readonly tags = new Set<string>();
  readonly #cache: BaseCache;
  readonly #finalKey: string;
  readonly #outer: RenderScope | undefined;

  constructor(cache: BaseCache, finalKey: string, outer: RenderScope | undefined) {
    this.#cache = cache;
    this.#finalKey = finalKey;
    this.#outer = outer;
  }

  /** Whether `scope` is this fragment, or lies in it. */
  static isWithin(scope: RenderScope | undefined, cache: BaseCache, finalKey: string): boolean {
    for (let at = scope; at instanceof FragmentScope; at = at.#outer) {
      if (at.#cache === cache && at.#finalKey === finalKey) return true;
    }
    return false;
  }

  addTags(tags: readonly string[]): void {
    for (const tag of tags) this.tags.add(tag);
  }

  /** It shows what is in it for as long as it lives itself. */
  addExpiry(): void {}
}
