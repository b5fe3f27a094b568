import { describe } from '../arguments/describe';
import {
  checkIsOptions,
  checkOptionNames,
  isPlain,
  type OtherNames,
} from '../arguments/option-names';
import { checkTimeout } from '../cache/timeouts';
import { isToken } from '../http/token';
import type { PageCacheOptions, PageKeyRules, StateRules } from './page-options';
import { checkPreferenceRules } from './preference-rules';
import type { QueryRules } from './query-rules';

/** @throws TypeError that names `option`, unless `value` can be its value */
type Check = (value: unknown, option: string) => void;

/** A check for each option that there is, and so the names of all of them. */
type Checks<Options> = Readonly<Record<keyof Options, Check>>;

/** A check of values for which `isRight` holds, and a sentence that tells others what to give. */
function must(isRight: (value: unknown) => boolean, remedy: string): Check {
  return (value, option) => {
    if (isRight(value)) return;
    throw new TypeError(`${option} got ${describe(value)}. ${remedy}`);
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isFieldName = (value: unknown) => isText(value) && isToken(value);
const isListOf = (isItem: (item: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(isItem);

const isFunction = must((value) => typeof value === 'function', 'Give a function.');
const isBoolean = must((value) => typeof value === 'boolean', 'Give true or false.');
const isDuration = must(
  (value) => Number.isFinite(value) && (value as number) >= 0,
  'Give a number from 0.',
);
const isNames = must(isListOf(isText), 'Give an array of names.');
const isFieldNames = must(
  isListOf(isFieldName),
  "Give an array of header names, such as ['cookie'].",
);
const isStateNames = must(
  isListOf((name) => isText(name) && /^[^.\s]+(?:\.[^.]+)*$/.test(name)),
  "Give an array of names, such as ['req.user', 'session.cart', 'locals.appName'].",
);

const QUERY_CHECKS: Checks<QueryRules> = {
  ignore: must(
    (value) => value === 'tracking' || isListOf(isText)(value),
    "Give an array of names, or 'tracking'.",
  ),
  only: isNames,
  sort: isBoolean,
};

const STATE_CHECKS: Checks<StateRules> = {
  ignore: isStateNames,
  only: isStateNames,
  from: isFieldNames,
};

const KEY_CHECKS: Checks<PageKeyRules> = {
  query: objectOf(QUERY_CHECKS, "{ ignore: ['utm_*'] }", {
    ignored: 'ignore',
    exclude: 'ignore',
    include: 'only',
  }),
  cookies: isNames,
  headers: isFieldNames,
  state: objectOf(STATE_CHECKS, "{ ignore: ['locals.appName'] }", {}),
  segment: isFunction,
  hosts: isNames,
  normalize(value, option) {
    checkPreferenceRules(option, value);
    if (isPlain(value)) checkOptionNames(option, value, ['languages', 'encodings']);
  },
};

/** Names of Django's settings, and of options of other packages. */
const OTHER_NAMES: OtherNames = {
  cachemiddlewarealias: 'cache',
  alias: 'cache',
  cachealias: 'cache',
  backend: 'cache',
  store: 'cache',
  cachemiddlewareseconds: 'seconds',
  secs: 'seconds',
  ttl: 'seconds',
  timeout: 'seconds',
  maxage: 'seconds',
  cachemiddlewarekeyprefix: 'keyPrefix',
  prefix: 'keyPrefix',
  usei18n: 'language',
  usetz: 'timeZone',
  swr: 'staleWhileRevalidate',
  unless: 'skip',
  bypass: 'skip',
  ...Object.fromEntries(Object.keys(KEY_CHECKS).map((name) => [name, `key: { ${name} }`])),
};

const DAY = 24 * 60 * 60;

/** A lifetime of pages. Warns of one that looks like milliseconds. */
export function checkPageSeconds(value: unknown, option: string): void {
  const seconds = checkTimeout(value, option);
  if (seconds === null || seconds < 300_000) return;
  // Lifetimes of days are whole days. Minutes in milliseconds are whole thousands.
  const isLong = seconds > 366 * DAY;
  const isOdd = seconds % DAY !== 0 && (seconds >= 1_000_000 || seconds % 1000 === 0);
  if (!isLong && !isOdd) return;
  const days = Math.round(seconds / DAY);
  process.emitWarning(
    `${option} got ${seconds}, which is ${days} days. It counts in seconds, not in milliseconds: did you mean ${seconds / 1000}?`,
    { type: 'PageCacheWarning', code: 'CACHEWRIGHT_MILLISECONDS' },
  );
}

const PAGE_CHECKS: Checks<PageCacheOptions> = {
  cache: must(
    (value) =>
      value === null ||
      isText(value) ||
      typeof (value as { readonly get?: unknown }).get === 'function',
    'Give an alias or a backend.',
  ),
  seconds: checkPageSeconds,
  browserSeconds: must(
    (value) => Number.isInteger(value) && (value as number) >= 0,
    'Give whole seconds, 0 or more.',
  ),
  skip: isFunction,
  storeIf: isFunction,
  keyPrefix: must((value) => value === null || isText(value), 'Give a string.'),
  maxBytes: must((value) => typeof value === 'number' && value > 0, 'Give bytes above 0.'),
  storeCookies: isBoolean,
  key: objectOf(KEY_CHECKS, "{ cookies: ['lang'] }", {
    params: 'query',
    ignore: 'query: { ignore }',
  }),
  language: isFunction,
  timeZone: isFunction,
  tags: isFunction,
  tagHeaders: must((value) => value === 'strip' || value === 'keep', "Give 'strip' or 'keep'."),
  limitToFragments: isBoolean,
  perRequestFields: isFieldNames,
  varyOnRead: must(
    (value) => typeof value === 'boolean' || isListOf(isFieldName)(value),
    "Give true, false, or an array of header names: ['user-agent'].",
  ),
  maxVariants: isDuration,
  patchHeaders: isBoolean,
  requestDirectives: isBoolean,
  heuristic: isBoolean,
  staleWhileRevalidate: isDuration,
  staleIfError: isDuration,
  softTimeout: isDuration,
  keepStale: isDuration,
  waitMs: isDuration,
  readTimeoutMs: isDuration,
  writeTimeoutMs: isDuration,
  cacheStatus: must(
    (value) =>
      typeof value === 'boolean' ||
      (isText(value) && /^[a-zA-Z*][\w!#$%&'*+.^`|~:/-]*$/.test(value)),
    'Give a name of letters, digits and hyphens, or true.',
  ),
  onError: isFunction,
};

/**
 * Checks options when middleware is made.
 *
 * @param maker - The function that was given them.
 * @param ownChecks - Checks of options that this function alone has.
 * @throws TypeError naming the option
 */
export function checkPageOptions(
  maker: string,
  options: PageCacheOptions,
  ownChecks: Readonly<Record<string, Check>> = {},
): void {
  const example =
    maker === 'cachePage' ? "cachePage(60, { cache: 'pages' })" : `${maker}({ seconds: 60 })`;
  checkIsOptions(`${maker}()`, options, example);
  const checks: Readonly<Record<string, Check>> = { ...PAGE_CHECKS, ...ownChecks };
  checkOptionNames(`${maker}()`, options, Object.keys(checks), OTHER_NAMES);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) checks[name]!(value, `${maker}({ ${name} })`);
  }
}

/** A check of options within an option. */
function objectOf(
  checks: Readonly<Record<string, Check>>,
  example: string,
  others: OtherNames,
): Check {
  return (value, option) => {
    // `updateCache({ key })` becomes `updateCache({ key: { query } })`.
    const within = (name: string) => option.replace(/(?= \})/, `: { ${name} }`);
    if (!isPlain(value)) {
      throw new TypeError(`${option} got ${describe(value)}. Give an object: ${example}.`);
    }
    checkOptionNames(option, value, Object.keys(checks), others);
    for (const [name, item] of Object.entries(value)) {
      if (item !== undefined) checks[name]!(item, within(name));
    }
  };
}
