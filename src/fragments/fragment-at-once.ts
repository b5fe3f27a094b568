import { type FragmentOptions, FragmentRequest } from './fragment-request';
import { storedFragmentAtOnce } from './stored-fragment';

/**
 * `cacheFragment` where the engine cannot wait: cached by backends that need no I/O, rendered each
 * time with all others.
 *
 * @param onUncached - Called if the backend needs I/O.
 * @throws as `cacheFragment` does
 */
export function cacheFragmentAtOnce(
  timeout: unknown,
  name: string,
  varyOn: Iterable<unknown>,
  render: () => string,
  options: FragmentOptions,
  onUncached: () => void,
): string {
  const request = new FragmentRequest(timeout, name, varyOn, options);
  const make = () => {
    try {
      return request.made(request.enter(render));
    } catch (error) {
      throw request.failure(error);
    }
  };
  try {
    const stored = request.isOnce
      ? undefined
      : storedFragmentAtOnce(request.place, make, onUncached);
    return request.show(stored ?? make());
  } catch (error) {
    throw request.failed(error);
  }
}
