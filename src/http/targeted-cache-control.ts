import { parseDictionary } from 'structured-headers';
import type { CacheControl } from './cache-control';
import { type HeaderValue, headerLines } from './header-value';

/**
 * The directives of a targeted field such as `CDN-Cache-Control`, which is a Structured Field.
 *
 * @returns `undefined` if the field is missing, empty or not valid: then it counts for nothing,
 *   and `Cache-Control` for all.
 * @see RFC 9213 §2.1
 */
export function parseTargetedCacheControl(value: HeaderValue): CacheControl | undefined {
  const lines = headerLines(value);
  if (lines.length === 0) return undefined;
  try {
    const members = [...parseDictionary(lines.join(', '))];
    if (members.length === 0) return undefined;
    return members.flatMap(([name, [item]]): CacheControl => {
      if (item === false) return [];
      if (item === true) return [{ name, value: undefined }];
      // A directive whose value has another type than its definition asks for is ignored.
      return typeof item === 'number' && Number.isInteger(item)
        ? [{ name, value: String(item) }]
        : [];
    });
  } catch {
    return undefined;
  }
}
