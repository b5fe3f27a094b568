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

/** Pages that began to be rendered before that. */
const unfollowed = new Set<RenderScope>();

/** Any of them may show what is rendered in none that is known. */
const anyUnfollowed: RenderScope = {
  addTags(tags) {
    for (const scope of unfollowed) scope.addTags(tags);
  },
  addExpiry(expiresAt) {
    for (const scope of unfollowed) scope.addExpiry(expiresAt);
  },
};

/** Follows what is rendered from here on. */
export function followRenders(): void {
  scopes ??= new AsyncLocalStorage();
}

/** What is being rendered around this, as far as that is known; perhaps more than that. */
export function currentScope(): RenderScope | undefined {
  return scopes?.getStore() ?? (unfollowed.size > 0 ? anyUnfollowed : undefined);
}

/** Calls `work`, in which `scope` is what is being rendered, across `await` as well. */
export function runInScope<T>(scope: RenderScope, work: () => T): T {
  if (scopes !== undefined) return scopes.run(scope, work);
  unfollowed.add(scope);
  return work();
}

/** To be called once what `scope` stands for is rendered, or given up. */
export function leaveScope(scope: RenderScope): void {
  unfollowed.delete(scope);
}
