import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from '../headers/middleware';
import { hasValidator } from '../http/storability';
import { hideOtherCookies, withCountingCookies } from './cookie-rules';
import { narrowHeaders } from './inputs/shown-headers';
import { headersOf } from './inputs/watched-headers';
import type { PageSettings } from './page-settings';
import { applyTargetRule, dropBareQuestionMark } from './request-key';
import type { StoredResponse } from './stored-response';

/** Preconditions, which must not keep the page from being stored. */
const CONDITIONAL = [
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
] as const;

const PARTIAL = ['if-range', 'range'] as const;

/** What the code inside is shown of a request. */
export interface PreparedRequest {
  readonly headers: IncomingHttpHeaders;
  /** Whether it was asked for more than the client has asked for. */
  readonly hasStripped: boolean;
  /** Whether it was asked if the stored response still holds. */
  readonly isValidating: boolean;
}

export interface RequestPlan {
  readonly settings: PageSettings;
  /** The stored response, which is stale. */
  readonly stale: StoredResponse | undefined;
  /** Whether the page may come to be stored. If not, it is asked for as the client did. */
  readonly isStorable: boolean;
  /** Whether pages of this URL were stored before: then a part of it can be cut from the whole. */
  readonly isKnown: boolean;
}

/**
 * Makes the request ask for the whole page, and, if one is stored, whether that still holds. Shows the
 * code inside what was looked up: neither parameters, cookies nor headers that do not count.
 */
export function prepareRequest(req: Request, plan: RequestPlan): PreparedRequest {
  const { settings, stale, isStorable, isKnown } = plan;
  const { targetRule, cookies, headers: listed } = settings;
  if (targetRule !== undefined) applyTargetRule(req, targetRule);
  dropBareQuestionMark(req);
  if (cookies !== undefined) hideOtherCookies(req, cookies);
  const headers: IncomingHttpHeaders = { ...withCountingCookies(headersOf(req), cookies) };
  if (listed !== undefined) narrowHeaders(headers, listed);
  let hasStripped = false;
  if (isStorable) {
    for (const name of isKnown ? [...CONDITIONAL, ...PARTIAL] : CONDITIONAL) {
      if (headers[name] === undefined) continue;
      delete headers[name];
      hasStripped = true;
    }
  }
  if (stale === undefined || !hasValidator(stale.field)) {
    return { headers, hasStripped, isValidating: false };
  }
  const etag = stale.field('etag');
  const lastModified = stale.field('last-modified');
  if (etag !== undefined) headers['if-none-match'] = String(etag);
  if (lastModified !== undefined) headers['if-modified-since'] = String(lastModified);
  return { headers, hasStripped, isValidating: true };
}
