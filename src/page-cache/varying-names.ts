import type { HeaderValue } from '../http/header-value';
import { parseVary } from '../http/vary';
import type { PageSettings } from './page-settings';

/**
 * The request headers that a `Vary` field names, lower case and sorted: spelling and order make no
 * other page. Where the language is in the key, it stands for the header it was chosen by.
 */
export function varyingNames(vary: HeaderValue, { language }: PageSettings): string[] {
  return parseVary(vary)
    .map((name) => name.toLowerCase())
    .filter((name) => name !== 'accept-language' || language === undefined)
    .sort();
}
