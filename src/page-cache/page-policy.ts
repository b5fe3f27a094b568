import type { Response } from '../headers/middleware';
import { directiveSeconds, parseCacheControl } from '../http/cache-control';
import { MAX_GROUPS, parseCacheGroups } from '../http/cache-groups';
import type { FieldLookup } from '../http/field-lookup';
import { heuristicLifetime, initialAge, statedLifetime } from '../http/freshness';
import type { HeaderValue } from '../http/header-value';
import { parseHttpDate } from '../http/http-date';
import { type ResponsePolicy, responsePolicy } from '../http/response-policy';
import { type StalenessTerms, stalenessTerms } from '../http/staleness';
import { hasValidator, type Refusal, refusalOf, withheldFields } from '../http/storability';
import type { PageSettings } from './page-settings';

/** Why a page is not stored. */
export type NotStored =
  | Refusal
  | 'identity'
  | 'method'
  | 'groups'
  | 'too-large'
  | 'event-stream'
  | 'no-lifetime'
  | 'expired';

/** How a response may be stored. */
export interface PageTerms extends StalenessTerms {
  /** Lifetime left when it was received. */
  readonly seconds: number;
  /** Age it had already, seconds. */
  readonly initialAge: number;
  /** Fields, in lower case, that must not be stored. */
  readonly withheld: ReadonlySet<string>;
}

/** What is decided of a response as its head is sent. */
export interface PageVerdict {
  /** `undefined`: it is not stored. */
  readonly terms?: PageTerms;
  readonly refusal?: NotStored;
  /** `Expires` and `max-age` to send; `undefined`: the fields stay as they are. */
  readonly patchSeconds?: number;
}

/** What of the request bears on its response. */
export interface RequestFacts {
  readonly hasCredentials: boolean;
  /** The page's own timeout, which goes before all others; `null`: none. */
  readonly pageSeconds: number | null;
  readonly requestedAt: number;
  /** For which it may be stored at most; `Infinity`: as long as it says. */
  readonly maxSeconds: number;
}

/** Stored without being told to, and patched, as in Django. */
const DEFAULT_STATUS = 200;
/** Never stored. */
const NOT_MODIFIED = 304;

/**
 * Errors that come of the URL. Others may come of what else one request had in it, or of a bad
 * moment, and have the fields of the page that the handler did not come to make.
 */
const OF_THE_URL = new Set([404, 405, 410, 414, 451]);

/**
 * Decides whether a response is stored, for how long, and what it tells caches downstream.
 *
 * @param field - Reads its fields, as they stand when all middleware has had its say.
 * @see Django's `UpdateCacheMiddleware.process_response`; RFC 9111 §3
 */
export function judgeResponse(
  status: number,
  field: FieldLookup,
  settings: PageSettings,
  { hasCredentials, pageSeconds, requestedAt, maxSeconds }: RequestFacts,
): PageVerdict {
  const now = Date.now();
  const policy = responsePolicy(field);
  const endless = endlessness(field, settings);
  if (endless !== undefined) return { refusal: endless };
  // A 304 is judged like the page that it stands for; that it is not stored is told below.
  const judged = status === NOT_MODIFIED ? DEFAULT_STATUS : status;
  const refusal = refusalOf(
    { status: judged, policy, field, hasCredentials },
    { storesCookies: settings.storeCookies, isStrict: !settings.patchHeaders },
  );
  if (refusal !== undefined) return { refusal };
  // Kept without some of its groups it would outlive their purge.
  if (parseCacheGroups(field('cache-groups')).length > MAX_GROUPS) return { refusal: 'groups' };

  const stated = statedLifetime(policy, field, now);
  if (judged !== DEFAULT_STATUS) {
    if (settings.patchHeaders && judged >= 400 && !OF_THE_URL.has(judged)) {
      return { refusal: 'status' };
    }
    if (stated === undefined && !settings.heuristic) return { refusal: 'status' };
    const seconds = atMost(maxSeconds, lifetimeOf(judged, field, policy, settings));
    return settle(status, field, policy, settings, seconds, { requestedAt });
  }
  if (pageSeconds !== null) {
    const seconds = Math.min(maxSeconds, pageSeconds);
    const verdict = settle(status, field, policy, settings, seconds, { isOwn: true });
    return { ...verdict, patchSeconds: seconds };
  }
  const seconds = atMost(
    maxSeconds,
    lifetimeOf(status, field, policy, settings) ?? settings.seconds ?? undefined,
  );
  const isOwn = stated === undefined;
  const verdict = settle(
    status,
    field,
    policy,
    settings,
    seconds,
    isOwn ? { isOwn } : { requestedAt },
  );
  // What says that it is stale already is left alone. A lifetime meant for shared caches says
  // nothing of how long a browser may keep the page, and a targeted one even less.
  const isPatched =
    settings.patchHeaders &&
    seconds !== undefined &&
    stated?.seconds !== 0 &&
    stated?.source !== 's-maxage' &&
    !policy.isTargeted;
  return isPatched ? { ...verdict, patchSeconds: seconds } : verdict;
}

function atMost(limit: number, seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.min(limit, seconds);
}

function lifetimeOf(
  status: number,
  field: FieldLookup,
  policy: ResponsePolicy,
  { heuristic }: PageSettings,
): number | undefined {
  const now = Date.now();
  const lifetime =
    statedLifetime(policy, field, now) ??
    (heuristic ? heuristicLifetime(status, policy, field, now) : undefined);
  return lifetime?.seconds;
}

function settle(
  status: number,
  field: FieldLookup,
  policy: ResponsePolicy,
  settings: PageSettings,
  seconds: number | undefined,
  { isOwn = false, requestedAt = 0 }: { isOwn?: boolean; requestedAt?: number },
): PageVerdict {
  const terms = stalenessTerms(policy, settings);
  // Validated before each use, it needs no lifetime.
  const lifetime = seconds ?? (terms.alwaysValidate ? 0 : undefined);
  if (lifetime === undefined) return { refusal: 'no-lifetime' };
  if (status === NOT_MODIFIED) return { refusal: 'status' };
  // A lifetime of the site's own counts from now, whatever the response has been through.
  const age = isOwn ? 0 : initialAge(field, requestedAt, Date.now());
  const isOfUse =
    lifetime > age || (!settings.patchHeaders && (hasValidator(field) || terms.staleIfError > 0));
  if (!isOfUse) return { refusal: 'expired' };
  return {
    terms: { ...terms, seconds: lifetime - age, initialAge: age, withheld: withheldFields(policy) },
  };
}

/** Why a response is known from the start to be too long to store. */
function endlessness(field: FieldLookup, { maxBytes }: PageSettings): NotStored | undefined {
  const type = String(field('content-type') ?? '');
  if (type.toLowerCase().startsWith('text/event-stream')) return 'event-stream';
  return Number(field('content-length') ?? 0) > maxBytes ? 'too-large' : undefined;
}

/**
 * Instant, in epoch seconds, from which the `Age` of a response counts.
 *
 * Where headers are patched it is what has passed of `max-age` on the way to `Expires`, as in
 * Django, and there is none if either cannot be read; else as RFC 9111 §4.2.3 has it.
 */
export function ageOrigin(
  field: FieldLookup,
  isPatched: boolean,
  receivedAt: number,
  { initialAge: age }: PageTerms,
): number | undefined {
  // One that was made elsewhere goes on counting (PAGE-24).
  if (field('age') !== undefined) {
    return receivedAt / 1000 - initialAge(field, receivedAt, receivedAt);
  }
  if (!isPatched) return receivedAt / 1000 - age;
  const maxAge = directiveSeconds(parseCacheControl(field('cache-control')), 'max-age');
  const expiresAt = parseHttpDate(field('expires'));
  if (maxAge === undefined || expiresAt === undefined) return undefined;
  return Math.floor(expiresAt / 1000) - maxAge;
}

/** Reads the fields of a response that was not sent yet. */
export function fieldsOf(res: Response): FieldLookup {
  return (name) => res.getHeader(name) as HeaderValue;
}
