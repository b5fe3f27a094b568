import type { HeaderValue } from './header-value';
import { parseListField } from './structured-field';

/**
 * Groups that a response may be in, to be stored. Each is looked at on every hit. RFC 9875 asks for
 * 32 at least; there is no bound to their length.
 */
export const MAX_GROUPS = 128;

/**
 * The groups that `Cache-Groups` or `Cache-Group-Invalidation` names, each once: none if the field
 * is missing, or not a valid list of strings.
 *
 * @see RFC 9875 §2, §3
 */
export function parseCacheGroups(value: HeaderValue): readonly string[] {
  const members = parseListField(value) ?? [];
  return members.every((member) => typeof member === 'string') ? [...new Set(members)] : [];
}
