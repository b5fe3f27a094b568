import { inspect } from 'node:util';
import type { FragmentOptions } from './fragment-request';

/** Keywords that a template tag takes. */
export const TAG_KEYWORDS = ['using', 'tags', 'version'] as const;

/** The keywords of a tag, as far as it has them, with the values they have as it is rendered. */
export type TagKeywords = { readonly [K in (typeof TAG_KEYWORDS)[number]]?: unknown };

/** What the keywords of a template tag ask for. @throws TypeError if a value makes no sense. */
export function tagOptions(keywords: TagKeywords): FragmentOptions {
  const options: { -readonly [K in keyof FragmentOptions]: FragmentOptions[K] } = {};
  if ('using' in keywords) options.using = aliasOf(keywords.using);
  if ('tags' in keywords) options.tags = tagsOf(keywords.tags);
  if ('version' in keywords) options.version = versionOf(keywords.version);
  return options;
}

// A variable that is misspelt must not stand for the default.
function aliasOf(using: unknown): string {
  if (typeof using === 'string') return using;
  throw new TypeError(`using is ${describe(using)}. Give the alias of a cache.`);
}

function tagsOf(tags: unknown): readonly string[] {
  if (typeof tags === 'string') return [tags];
  if (Array.isArray(tags)) return tags;
  throw new TypeError(`tags is ${describe(tags)}. Give a tag, or a list of tags.`);
}

function versionOf(version: unknown): string | number {
  if (typeof version === 'string' || typeof version === 'number') return version;
  throw new TypeError(`version is ${describe(version)}. Give a number or a string.`);
}

function describe(value: unknown): string {
  return inspect(value, { depth: 0 });
}
