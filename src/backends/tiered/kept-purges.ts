import type { PurgeMode } from '../../cache/tags';

/** Removes one entry from the shared cache, whatever it held. */
export type Removal = () => Promise<unknown>;

/** What carries out purges that were kept. */
export interface PurgeTarget {
  clear(): Promise<unknown>;
  purge(names: readonly string[], mode: PurgeMode): Promise<unknown>;
  /** Tells others of entries that were removed. */
  announce(finalKeys: readonly string[]): Promise<unknown>;
}

/** Purges kept at most; beyond, everything is purged. */
const MAX_KEPT = 1000;

/** Purges that the shared cache could not be told of, until it can. */
export class KeptPurges {
  readonly #tags = new Map<string, { readonly mode: PurgeMode }>();
  readonly #removals = new Map<string, Removal>();
  /** Set if everything is to be purged, and different each time. */
  #all: object | undefined;

  get isEmpty(): boolean {
    return this.#all === undefined && this.#tags.size === 0 && this.#removals.size === 0;
  }

  addTags(names: readonly string[], mode: PurgeMode): void {
    for (const name of names) {
      // What was purged hard once is not to be shown again.
      const isHard = mode === 'hard' || this.#tags.get(name)?.mode === 'hard';
      this.#tags.set(name, { mode: isHard ? 'hard' : 'soft' });
    }
    this.#limit();
  }

  addEntries(finalKeys: readonly string[], removal: (finalKey: string) => Removal): void {
    for (const finalKey of finalKeys) this.#removals.set(finalKey, removal(finalKey));
    this.#limit();
  }

  addAll(): void {
    this.#all = {};
    this.#tags.clear();
    this.#removals.clear();
  }

  /** Carries out all of them. Those that fail, and all that are added meanwhile, stay. */
  async replay(target: PurgeTarget): Promise<void> {
    const all = this.#all;
    if (all !== undefined) await target.clear();
    if (this.#all === all) this.#all = undefined;
    const removals = [...this.#removals];
    await Promise.all(removals.map(([, remove]) => remove()));
    if (removals.length > 0) await target.announce(removals.map(([finalKey]) => finalKey));
    forget(this.#removals, removals);
    for (const mode of ['hard', 'soft'] as const) {
      const tags = [...this.#tags].filter(([, tag]) => tag.mode === mode);
      if (tags.length > 0)
        await target.purge(
          tags.map(([name]) => name),
          mode,
        );
      forget(this.#tags, tags);
    }
  }

  #limit(): void {
    if (this.#tags.size + this.#removals.size > MAX_KEPT) this.addAll();
  }
}

/** Takes these away, unless they were added once more. */
function forget<T>(kept: Map<string, T>, done: readonly (readonly [string, T])[]): void {
  for (const [name, what] of done) if (kept.get(name) === what) kept.delete(name);
}
