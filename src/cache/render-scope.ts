import { AsyncLocalStorage } from 'node:async_hooks';

/** What is being rendered, a page or a fragment, as seen by the fragments that are shown in it. */
export interface RenderScope {
  /** Takes over tags of something that is shown in it. */
  addTags(tags: readonly string[]): void;
  /** Told when something that is shown in it expires, in epoch milliseconds; `null`: never. */
  addExpiry(expiresAt: number | null): void;
}

/**
 * `undefined` until the first fragment is rendered: before Node 24, to follow promises slows down
 * all of them, which sites without fragments must not pay for.
 */
let scopes: AsyncLocalStorage<RenderScope> | undefined;

/** By their runs, pages that began to be rendered before that. */
const unfollowed = new Map<object, RenderScope>();

/** Any of them may show what is rendered in none that is known. */
const anyUnfollowed: RenderScope = {
  addTags(tags) {
    for (const scope of unfollowed.values()) scope.addTags(tags);
  },
  addExpiry(expiresAt) {
    for (const scope of unfollowed.values()) scope.addExpiry(expiresAt);
  },
};

/** Follows what is rendered from here on. */
export function followRenders(): void {
  scopes ??= new AsyncLocalStorage();
}

/** What is being rendered around this, as far as that is known; perhaps more than that. */
export function currentScope(): RenderScope | undefined {
  return followedScope() ?? (unfollowed.size > 0 ? anyUnfollowed : undefined);
}

/** What is known to be rendered around this. Fragments always are. */
export function followedScope(): RenderScope | undefined {
  return scopes?.getStore();
}

/**
 * Calls `work`, in which `scope` is what is being rendered, across `await` as well.
 *
 * @param run - By which {@link leaveScope} is told that it is over.
 */
export function runInScope<T>(scope: RenderScope, work: () => T, run: object = scope): T {
  if (scopes !== undefined) return scopes.run(scope, work);
  unfollowed.set(run, scope);
  return work();
}

/** To be called once what is rendered in this run is there, or given up. */
export function leaveScope(run: object): void {
  unfollowed.delete(run);
}
