import type { ServerResponse } from 'node:http';
import { isForClients } from '../headers/for-clients';
import { patchFreshnessHeaders } from '../headers/patch-freshness';
import { patchVaryHeaders } from '../headers/patch-vary';
import { hasDirective, parseCacheControl } from '../http/cache-control';
import type { FieldLookup } from '../http/field-lookup';
import { type HeaderValue, headerLines } from '../http/header-value';
import { formatHttpDate } from '../http/http-date';
import { churningInput } from './churn';
import type { FillStart } from './fill-start';
import { keepCookieOwn } from './for-client';
import { fieldsToStore, type Head, type HeadChanges, headOf } from './head-changes';
import type { InputRecorder } from './inputs/input-recorder';
import { ALL_HEADERS, ALL_STATE, isHeaderInput, limitInputs } from './inputs/input-values';
import { dependsOnState } from './inputs/state-dependence';
import { isMethodName } from './inputs/watched-headers';
import { ageOrigin, fieldsOf, judgeResponse, type NotStored, type PageTerms } from './page-policy';
import { reportFailure } from './page-settings';
import { hasStatePresent } from './page-store';
import type { Recording } from './recorder';
import { REWRITTEN_TARGET } from './request-key';
import { type FieldList, fieldOf, StoredResponse } from './stored-response';
import { varyingNames } from './varying-names';

/** Why a page is not stored, found out from the head and from what was read. */
export type PageRefusal =
  | NotStored
  | 'churn'
  | 'nonce'
  | 'session-written'
  | 'store-if'
  | 'outer-no-store';

/** A response that is stored. */
export interface Storable {
  readonly refusal?: undefined;
  readonly terms: PageTerms;
  /** All inputs that are known of the URL, sorted. */
  readonly inputs: readonly string[];
  readonly privacy: readonly string[] | undefined;
  readonly sentAt: number;
  readonly ageFrom: number | undefined;
  /**
   * Whether the page shows state that was made from no header. A hit will prove that others have the same;
   * until then it may be a nonce or an id.
   */
  readonly isUnproven: boolean;
  /** Whether the response was given freshness, or may be. */
  readonly isPatched: boolean;
  /** Names in lower case of the fields that the cache has set. */
  readonly own: ReadonlySet<string>;
  /** How the freshness fields stood before they were changed, to be put back. */
  readonly before: Head;
  /** How the head stood once it was changed. */
  readonly after: Head;
  readonly input?: undefined;
  readonly reader?: undefined;
}

/** A response that is not. */
export interface Refused {
  readonly refusal: PageRefusal;
  /** What was read that keeps the page from being stored. */
  readonly input?: string | undefined;
  /** The file that has read it. */
  readonly reader?: string | undefined;
}

export type HeadVerdict = Storable | Refused;

interface JudgeOptions extends FillStart {
  /** Names of the headers that the request state is made from; `undefined`: not known. */
  readonly sources: ReadonlySet<string> | undefined;
  readonly recorder: InputRecorder;
  readonly hasWrittenSession: () => boolean;
  readonly requestedAt: number;
  readonly maxSeconds: () => number;
}

/** Decides whether the response to one request is stored, as which variant, and what clients are told. */
export class HeadJudge {
  readonly #options: JudgeOptions;
  readonly #res: ServerResponse;
  #isWhole = false;
  #changes: HeadChanges | undefined;
  /** What `storeIf` has said of a body that was known together with the head. */
  #isWanted: boolean | undefined;

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#res = options.res;
  }

  /**
   * Notes the head as the code inside sends it.
   *
   * @param body - If all of it is known.
   */
  noteInside(isWhole: boolean, body: (() => Buffer) | undefined, changes: HeadChanges): void {
    this.#isWhole = isWhole;
    this.#changes = changes;
    if (body !== undefined && this.#options.settings.storeIf !== undefined) {
      this.#isWanted = this.#askSite(body());
    }
  }

  /** Facts about the request that bear on every verdict. */
  facts() {
    const { values, pageSeconds, requestedAt, maxSeconds } = this.#options;
    const { authorization } = values.headers;
    return {
      hasCredentials: authorization !== undefined && authorization !== '',
      pageSeconds,
      requestedAt,
      maxSeconds: maxSeconds(),
    };
  }

  /**
   * Judges the head that stands on the response, and gives it freshness and `Vary` if it is stored.
   *
   * @param hasExpires - Whether its `Expires` is of today, and not of an earlier run.
   * @param confirmed - The stored response, if the handlers have said that it still holds. They may not have
   *   come to read what it was made from.
   */
  decide(
    status: number,
    {
      now,
      hasExpires,
      confirmed,
    }: {
      readonly now: number;
      readonly hasExpires: boolean;
      readonly confirmed: StoredResponse | undefined;
    },
  ): HeadVerdict {
    const { settings, mustNotStore, recorder, values } = this.#options;
    const res = this.#res;
    const before = freshnessOf(res);
    const policy = judgeResponse(status, this.#fields(), settings, this.facts());
    const refused = this.#refusal(policy.terms === undefined ? policy.refusal : undefined);
    const isRefused = refused !== undefined || policy.terms === undefined || mustNotStore;
    // A lifetime of the site's own that has passed already is told to clients (CP-06).
    const isTold = !isRefused || (policy.refusal === 'expired' && refused?.refusal === 'expired');
    const patchSeconds = isTold && this.#isWhole ? policy.patchSeconds : undefined;
    if (patchSeconds !== undefined || !isRefused) this.#varyOnCredentials();
    if (patchSeconds !== undefined) {
      if (!hasExpires) res.removeHeader('Expires');
      this.#patchFreshness(patchSeconds, policy.terms?.initialAge ?? 0);
    }
    if (isRefused) return refused ?? { refusal: policy.refusal ?? 'no-store' };
    const inputs = this.#inputs(varyingNames(res.getHeader('vary') as HeaderValue, settings));
    const privacy = unionOfPrivacy(this.#patchVary(), confirmed?.privacy);
    const sentAt = now;
    // Sent now rather than added by Node, so that a hit repeats it.
    if (res.sendDate && !res.hasHeader('Date')) res.setHeader('Date', formatHttpDate(now));
    const terms = policy.terms!;
    const own = new Set(['date', 'vary']);
    if (patchSeconds !== undefined) for (const name of ['cache-control', 'expires']) own.add(name);
    return {
      terms,
      inputs,
      privacy,
      isUnproven: privacy === undefined && hasStatePresent([...recorder.inputs], values),
      sentAt,
      ageFrom: ageOrigin(fieldsOf(res), patchSeconds !== undefined, now, terms),
      isPatched: patchSeconds !== undefined || (privacy !== undefined && this.#isWhole),
      own,
      before,
      after: headOf(res),
    };
  }

  /** The fields of the response, but for cookies that tell this client what it has sent. */
  #fields(): FieldLookup {
    const field = fieldsOf(this.#res);
    return (name) => (name === 'set-cookie' ? this.#newCookies() : field(name));
  }

  /**
   * The cookies that are new to this client. Middleware such as a language detector, or a session that
   * goes on with each visit, sets the same one again. A hit has the middleware's own.
   */
  #newCookies(): readonly string[] | undefined {
    const lines = headerLines(this.#res.getHeader('set-cookie') as HeaderValue);
    const { set, added } = this.#changes ?? {};
    const isInside = set?.has('set-cookie') || added?.has('set-cookie');
    const sent = (this.#options.values.headers.cookie ?? '').split(';').map((pair) => pair.trim());
    const isNew = (line: string) => !sent.includes(line.split(';', 1)[0]!.trim());
    const cookies = isInside ? lines : lines.filter(isNew);
    return cookies.length === 0 ? undefined : cookies;
  }

  #refusal(policy: NotStored | undefined): Refused | undefined {
    const { recorder, hasWrittenSession, mustNotStore, key, values } = this.#options;
    const read = recorder.refusal;
    if (policy !== undefined) return { refusal: policy };
    if (mustNotStore) return { refusal: 'no-store' };
    if (read !== undefined) {
      return { refusal: 'identity', ...read };
    }
    if (hasWrittenSession()) return { refusal: 'session-written', input: 'req.session' };
    if (this.#setsNonce()) return { refusal: 'nonce', input: 'Content-Security-Policy' };
    if (this.#isWanted === false) return { refusal: 'store-if' };
    const churning = churningInput(key.base, recorder.inputs, values);
    return churning === undefined ? undefined : { refusal: 'churn', input: shown(churning) };
  }

  /** Whether the code inside itself has set a policy with a nonce, which the page then shows. */
  #setsNonce(): boolean {
    return ['content-security-policy', 'content-security-policy-report-only'].some(
      (name) =>
        this.#changes?.set.has(name) === true && /'nonce-/.test(String(this.#res.getHeader(name))),
    );
  }

  /** Credentials single out a visitor, unless the response says that it is for all. */
  #varyOnCredentials(): void {
    if (!this.facts().hasCredentials || !this.#options.settings.patchHeaders) return;
    const directives = parseCacheControl(this.#res.getHeader('cache-control') as HeaderValue);
    if (!hasDirective(directives, 'public')) patchVaryHeaders(this.#res, ['Authorization']);
  }

  #patchFreshness(seconds: number, age: number): void {
    const res = this.#res;
    // What is left of the lifetime of a response that was made elsewhere.
    if (age > 0 && !res.hasHeader('Expires')) {
      res.setHeader('Expires', formatHttpDate(Date.now() + Math.max(0, seconds - age) * 1000));
    }
    patchFreshnessHeaders(res, seconds);
  }

  /** All inputs of the URL: those that are known, those that were read, and those that `Vary` names. */
  #inputs(varying: readonly string[]): readonly string[] {
    const { lookup, values, recorder } = this.#options;
    const inputs = new Set([...(lookup.inputs ?? []), ...recorder.inputs, ...varying]);
    if (values.of(REWRITTEN_TARGET) !== undefined) inputs.add(REWRITTEN_TARGET);
    return limitInputs(inputs);
  }

  /**
   * Names the headers that were read, for caches downstream.
   *
   * @returns See {@link StoredResponse.privacy}.
   */
  #patchVary(): readonly string[] | undefined {
    const res = this.#res;
    const { recorder, values, settings } = this.#options;
    const read = [...recorder.inputs].filter(
      (input) => isHeaderInput(input) && (values.of(input) !== undefined || !isMethodName(input)),
    );
    if (read.length > 0) patchVaryHeaders(res, read.map(titleCase));
    // Middleware that echoes it may stand outside, where nobody sees what it reads.
    const allowed = res.getHeader('access-control-allow-origin');
    if (allowed !== undefined && allowed === values.headers.origin)
      patchVaryHeaders(res, ['Origin']);
    if (!dependsOnState(recorder.inputs, values, this.#options.req)) return undefined;
    const sources = settings.state.from ?? this.#options.sources;
    if (sources === undefined || recorder.inputs.has(ALL_HEADERS)) return [];
    const names = [...sources];
    // State that was made from no header at all is the same for all visitors.
    if (names.length === 0) return undefined;
    patchVaryHeaders(res, names.map(titleCase));
    return names;
  }

  /**
   * Looks at the head once more as Node sends it: middleware before the cache may have made it one that
   * must not be shared, or that varies on more. What the cache has added is taken back in the first case.
   */
  check(verdict: Storable): HeadVerdict {
    const { before, after, own, inputs } = verdict;
    const res = this.#res;
    const { settings } = this.#options;
    const isNew = (name: string) =>
      res.hasHeader(name) && String(res.getHeader(name)) !== String(after.get(name));
    const setsCookie =
      isNew('set-cookie') && !settings.storeCookies && this.#newCookies() !== undefined;
    const varying = isNew('vary')
      ? varyingNames(res.getHeader('vary') as HeaderValue, settings)
      : [];
    const isRefused =
      setsCookie ||
      (isNew('cache-control') && !isForClients(res) && forbidsSharing(res)) ||
      varying.includes('*');
    if (!isRefused) {
      keepCookieOwn(res, settings);
      if (varying.length === 0) return verdict;
      return { ...verdict, inputs: limitInputs(new Set([...inputs, ...varying])) };
    }
    for (const name of FRESHNESS) {
      if (!own.has(name) || isNew(name)) continue;
      const value = before.get(name);
      if (value === undefined) res.removeHeader(name);
      else res.setHeader(name, value as string);
    }
    return { refusal: setsCookie ? 'set-cookie' : 'outer-no-store' };
  }

  /** Whether something came to light after the head that keeps the page from being stored. */
  hasLateReason(verdict: Storable, body: Buffer): boolean {
    const { recorder, hasWrittenSession, settings } = this.#options;
    if (recorder.refusal !== undefined || hasWrittenSession()) return true;
    const known = new Set(verdict.inputs);
    for (const input of recorder.inputs) {
      const whole = isHeaderInput(input) ? ALL_HEADERS : ALL_STATE;
      if (!known.has(input) && !known.has(whole)) return true;
    }
    if (settings.storeIf === undefined || this.#isWanted !== undefined) return false;
    return !this.#askSite(body);
  }

  #askSite(body: Buffer): boolean {
    const { settings, req, res, key, recorder } = this.#options;
    const { storeIf } = settings;
    if (storeIf === undefined) return true;
    try {
      return recorder.peek(() => storeIf(req as never, res as never, body)) === true;
    } catch (error) {
      reportFailure(settings, error, { operation: 'write', key: key.base });
      return false;
    }
  }

  /** What is stored of a whole response. */
  storedResponse(
    { terms, sentAt, ageFrom, privacy, own }: Storable,
    recording: Recording,
    {
      head,
      changes,
      confirmed,
    }: {
      readonly head: Head;
      readonly changes: HeadChanges | undefined;
      readonly confirmed: StoredResponse | undefined;
    },
  ): StoredResponse {
    const { isFronting, settings, maxSeconds } = this.#options;
    const all =
      confirmed !== undefined || changes === undefined
        ? confirmedFields(recording.fields, confirmed, changes, own)
        : fieldsToStore(recording.fields, head, changes, own);
    const withheld = isFronting
      ? new Set([...terms.withheld, ...settings.perRequestFields])
      : terms.withheld;
    // Some of its fragments may have come after the head.
    const seconds = Math.min(terms.seconds, maxSeconds());
    const added = confirmed?.added ?? [...(changes?.added ?? [])].flat();
    return new StoredResponse({
      ...terms,
      ...recording,
      fields: dated(without(all, withheld), sentAt),
      added: added as FieldList,
      removed: confirmed?.removed ?? changes?.removed ?? [],
      privacy: settings.patchHeaders ? privacy : undefined,
      storedAt: sentAt,
      staleAt: sentAt + seconds * 1000,
      ageFrom,
    });
  }
}

/** Of a confirmed page: the fields that it had, and those that were sent for it now. */
function confirmedFields(
  fields: FieldList,
  confirmed: StoredResponse | undefined,
  changes: HeadChanges | undefined,
  own: ReadonlySet<string>,
): FieldList {
  if (confirmed === undefined) return fields;
  const kept: (string | readonly string[])[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase();
    const isKept = own.has(name) || changes?.set.has(name) || confirmed.field(name) !== undefined;
    if (isKept) kept.push(fields[i]!, fields[i + 1]!);
  }
  return kept;
}

/** What caches downstream must be told if either holds; see {@link StoredResponse.privacy}. */
function unionOfPrivacy(
  one: readonly string[] | undefined,
  other: readonly string[] | undefined,
): readonly string[] | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.length === 0 || other.length === 0 ? [] : [...new Set([...one, ...other])];
}

const FRESHNESS = ['cache-control', 'expires'] as const;

function freshnessOf(res: ServerResponse): Head {
  const head = new Map<string, string>();
  for (const name of FRESHNESS) {
    if (res.hasHeader(name)) head.set(name, String(res.getHeader(name)));
  }
  return head;
}

function forbidsSharing(res: ServerResponse): boolean {
  const directives = parseCacheControl(res.getHeader('cache-control') as HeaderValue);
  return ['no-store', 'private', 'no-cache'].some((name) => hasDirective(directives, name));
}

/** The name of an input as code reads it: `req.user`, `locals.title`, `cookie`. */
function shown(input: string): string {
  return input.replace(/^@/, '');
}

/** `accept-language` as `Accept-Language`. */
function titleCase(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** A response that came without a `Date` is kept with that of its arrival (RFC 9110 §6.6.1). */
function dated(fields: FieldList, receivedAt: number): FieldList {
  if (fieldOf(fields, 'date') !== undefined) return fields;
  return [...fields, 'Date', formatHttpDate(receivedAt)];
}

export function without(
  fields: FieldList,
  names: ReadonlySet<string>,
): (string | readonly string[])[] {
  const kept: (string | readonly string[])[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (!names.has((fields[i] as string).toLowerCase())) kept.push(fields[i]!, fields[i + 1]!);
  }
  return kept;
}
