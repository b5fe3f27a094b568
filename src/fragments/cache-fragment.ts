import { describe } from '../arguments/describe';
import { type FragmentOptions, FragmentRequest } from './fragment-request';
import { storedFragment } from './stored-fragment';

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
  options: FragmentOptions = {},
): Promise<string> {
  const request = new FragmentRequest(timeout, name, varyOn, options);
  if (typeof render !== 'function') {
    throw new TypeError(
      `Fragment ${JSON.stringify(name)} got ${describe(render)} in place of the function that renders it. Give one: () => '<p>…</p>'.`,
    );
  }
  const make = async () => {
    try {
      return request.made(await request.enter(render));
    } catch (error) {
      throw request.failure(error);
    }
  };
  try {
    const stored = request.isOnce ? undefined : await storedFragment(request.place, make);
    return request.show(stored ?? (await make()));
  } catch (error) {
    throw request.failed(error);
  }
}
