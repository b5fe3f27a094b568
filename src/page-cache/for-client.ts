import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { formatHttpDate } from '../http/http-date';
import type { PageSettings } from './page-settings';
import type { StoredResponse } from './stored-response';

/** Fields by which other caches than the client's would share a page. */
const FOR_SHARED_CACHES = ['Expires', 'CDN-Cache-Control', 'Surrogate-Control'];

/** What decides how long one client may keep a page. */
export type ClientTerms = Pick<StoredResponse, 'privacy'> & {
  /** Seconds for which the page is still fresh here. */
  readonly remainingSeconds: number;
  /** What is sent as `Age`, seconds. */
  readonly age: number;
};

/** Whether a response with these terms says something else to this client than what is stored. */
export function differsForClient(
  { privacy }: Pick<StoredResponse, 'privacy'>,
  headers: IncomingHttpHeaders,
  { browserSeconds, patchHeaders }: PageSettings,
): boolean {
  return patchHeaders && (browserSeconds !== undefined || isPersonal(privacy, headers));
}

/**
 * Tells one client how long it may keep the page: not at all if the page depends on its state
 * (PAGE-60), else for `browserSeconds` if the site says so (PAGE-64).
 */
export function tellClient(
  res: ServerResponse,
  { privacy, remainingSeconds, age }: ClientTerms,
  headers: IncomingHttpHeaders,
  { browserSeconds, patchHeaders }: PageSettings,
): void {
  if (!patchHeaders) return;
  if (isPersonal(privacy, headers)) {
    for (const name of FOR_SHARED_CACHES) res.removeHeader(name);
    res.setHeader('Cache-Control', 'private, no-cache');
    return;
  }
  if (browserSeconds === undefined) return;
  const seconds = Math.max(0, Math.min(browserSeconds, remainingSeconds));
  // `max-age` counts from when the page was made (RFC 9111 §4.2).
  const maxAge = seconds === 0 ? 'max-age=0, must-revalidate' : `max-age=${seconds + age}`;
  const others = String(res.getHeader('Cache-Control') ?? '')
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '' && !/^(?:max-age|must-revalidate)\b/i.test(directive));
  res.setHeader('Cache-Control', [...others, maxAge].join(', '));
  res.setHeader('Expires', formatHttpDate(Date.now() + seconds * 1000));
}

/**
 * Keeps caches downstream from sharing a response that sets a cookie for this client. They may store it
 * with its cookie (RFC 9111 §7.3). Where the site itself says `public` or `s-maxage`, that holds.
 */
export function keepCookieOwn(
  res: ServerResponse,
  { patchHeaders, storeCookies }: PageSettings,
): void {
  if (!patchHeaders || storeCookies || !res.hasHeader('Set-Cookie')) return;
  const control = String(res.getHeader('Cache-Control') ?? '');
  if (control === '' || /\b(?:public|private|no-store|s-maxage)\b/i.test(control)) return;
  res.setHeader('Cache-Control', `private, ${control}`);
}

/**
 * Whether this client must not let others have the page, nor keep it past a change of its own state.
 *
 * @param privacy - See {@link StoredResponse.privacy}.
 */
function isPersonal(privacy: readonly string[] | undefined, headers: IncomingHttpHeaders): boolean {
  if (privacy === undefined) return false;
  if (privacy.length === 0) return true;
  return privacy.some((name) => headers[name] !== undefined && !name.startsWith('accept'));
}
