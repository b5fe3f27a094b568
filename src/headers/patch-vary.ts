import type { ServerResponse } from 'node:http';
import { describe } from '../arguments/describe';
import { appendVary, varyIncludes } from '../http/vary';
import type { Response } from './middleware';

/**
 * Adds request header names to the response's `Vary`, after those already there.
 *
 * @param names - In any case; `*` makes the response vary on everything.
 * @throws TypeError If `names` is no array, or one of them cannot be a header name.
 * @see Django's `patch_vary_headers`
 */
export function patchVaryHeaders(response: Response, names: readonly string[]): void {
  if (!Array.isArray(names) || names.some((name) => typeof name !== 'string')) {
    throw new TypeError(
      `patchVaryHeaders() got ${describe(names)}. Give an array of header names: patchVaryHeaders(res, ['Cookie']).`,
    );
  }
  const res = response as ServerResponse;
  const vary = appendVary(res.getHeader('Vary'), names);
  if (vary !== '') res.setHeader('Vary', vary);
}

/**
 * Whether the response's `Vary` lists the header name, in any case.
 *
 * @see Django's `has_vary_header`
 */
export function hasVaryHeader(response: Response, name: string): boolean {
  return varyIncludes((response as ServerResponse).getHeader('Vary'), name);
}
