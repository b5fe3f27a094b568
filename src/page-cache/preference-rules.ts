import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Request, Response } from '../headers/middleware';
import { acceptableEncodings } from '../http/acceptable-encodings';
import type { HeaderValue } from '../http/header-value';
import { preferredLanguage } from '../http/preferred-language';
import { isToken } from '../http/token';
import { parseVary } from '../http/vary';
import { headersOf } from './inputs/watched-headers';

/** What there is for a request to choose from. */
export interface PreferenceRules {
  /**
   * Languages that the site has, as tags (`['en', 'pt-BR']`). Where a page varies on
   * `Accept-Language`, the one of them counts that the request prefers; all requests that accept
   * none are alike.
   *
   * @see RFC 9110 §12.5.4; RFC 4647
   */
  readonly languages?: readonly string[];

  /**
   * Content codings that the site makes, best first (`['br', 'gzip']`), without `identity`. Where a
   * page varies on `Accept-Encoding`, those of them count that the request accepts.
   *
   * @see RFC 9110 §12.5.3
   */
  readonly encodings?: readonly string[];
}

type Preference = 'accept-language' | 'accept-encoding';

/** Headers that were left as they were sent, because of what has gone by them already. */
const leftAsSent = new WeakMap<Request, ReadonlySet<string>>();

/**
 * Puts what counts in the place of a request's preferences, before anybody goes by the rest. A
 * header that the response says already to vary on stays as it was sent, and is in the key as such:
 * whoever has said so has gone by all of it.
 */
export function showCountingPreferences(
  req: Request,
  res: Response,
  rules: PreferenceRules | undefined,
): void {
  if (rules === undefined) return;
  const vary = (res as ServerResponse).getHeader('vary') as HeaderValue;
  const spoken = new Set(parseVary(vary).map((name) => name.toLowerCase()));
  if (spoken.size > 0) leftAsSent.set(req, spoken);
  const headers = headersOf(req);
  for (const [name, value] of countingPreferences(headers, rules)) {
    if (spoken.has(name)) continue;
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  }
}

/** The headers as they are looked up: of the preferences, what counts. */
export function withCountingPreferences(
  req: Request,
  headers: IncomingHttpHeaders,
  rules: PreferenceRules | undefined,
): IncomingHttpHeaders {
  if (rules === undefined) return headers;
  const counting = countingPreferences(headers, rules).filter(
    ([name]) => leftAsSent.get(req)?.has(name) !== true,
  );
  return { ...headers, ...Object.fromEntries(counting) };
}

/** `undefined` stands for a header that is not to be there. */
function countingPreferences(
  headers: IncomingHttpHeaders,
  { languages, encodings }: PreferenceRules,
): (readonly [name: Preference, value: string | undefined])[] {
  const counting: (readonly [Preference, string | undefined])[] = [];
  const accepted = headers['accept-language'];
  if (languages !== undefined && accepted !== undefined) {
    counting.push(['accept-language', preferredLanguage(accepted, languages)]);
  }
  if (encodings !== undefined) {
    counting.push(['accept-encoding', acceptableEncodings(headers['accept-encoding'], encodings)]);
  }
  return counting;
}

/** @throws TypeError naming the option, if there is nothing of the kind to choose from. */
export function checkPreferenceRules(option: string, normalize: unknown): void {
  if (normalize === undefined || typeof normalize === 'boolean') return;
  if (typeof normalize !== 'object' || normalize === null) {
    throw new TypeError(
      `${option} got ${String(normalize)}. Give true, false, or { languages, encodings }.`,
    );
  }
  const { languages, encodings } = normalize as PreferenceRules;
  checkNames(
    `${option} languages`,
    languages,
    isLanguage,
    "language tags, such as 'en' or 'pt-BR'",
  );
  checkNames(
    `${option} encodings`,
    encodings,
    isEncoding,
    "content codings, such as 'br' or 'gzip'; 'identity' is there always",
  );
}

function checkNames(
  option: string,
  names: unknown,
  isName: (name: string) => boolean,
  what: string,
): void {
  if (names === undefined) return;
  const isSound =
    Array.isArray(names) && names.every((name) => typeof name === 'string' && isName(name));
  if (!isSound) throw new TypeError(`${option} got ${String(names)}. Give an array of ${what}.`);
}

function isLanguage(name: string): boolean {
  return /^[a-z]{1,8}(?:-[a-z\d]{1,8})*$/i.test(name);
}

function isEncoding(name: string): boolean {
  return isToken(name) && name !== '*' && name.toLowerCase() !== 'identity';
}
