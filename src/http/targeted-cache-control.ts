import type { CacheControl } from './cache-control';
import type { HeaderValue } from './header-value';
import { parseDictionaryField } from './structured-field';

/**
 * The directives of a targeted field such as `CDN-Cache-Control`, which is a Structured Field.
 *
 * @returns `undefined` if the field is missing, empty or not valid: then it counts for nothing,
 *   and `Cache-Control` for all.
 * @see RFC 9213 §2.1
 */
export function parseTargetedCacheControl(value: HeaderValue): CacheControl | undefined {
  const members = parseDictionaryField(value) ?? [];
  if (members.length === 0) return undefined;
  return members.flatMap(([name, item]): CacheControl => {
    if (item === false) return [];
    if (item === true) return [{ name, value: undefined }];
    // A directive whose value has another type than its definition asks for is ignored.
    return typeof item === 'number' && Number.isInteger(item)
      ? [{ name, value: String(item) }]
      : [];
  });
}
