import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Request, Response } from '../../headers/middleware';
import { normalizeHeader } from '../../http/normalize';
import type { PageSettings } from '../page-settings';
import { meetFunction } from './constant-functions';
import { digestOf, OPAQUE } from './digest';
import { countsWhenRead } from './headers-that-count';
import { languageOf } from './language';
import { peekAt } from './peek';
import {
  CONTAINERS,
  type Container,
  holderOf,
  isCounted,
  isParsedQuery,
  parseStateInput,
  readKey,
  type Scope,
  type StateName,
  stateInput,
  stateKeys,
} from './request-state';
import { isVolatile } from './volatile-state';

/** Inputs that stand for many. */
export const ALL_HEADERS = '*headers';
export const ALL_STATE = '*state';
/** The names of the state that is there, where reads of what is absent could not be seen. */
export const STATE_NAMES = '*names';

/** All fields of one object of request state. */
export function allOf(container: Container): string {
  return `*${container}`;
}

/** Which fields an object of request state has. */
export function namesOf(container: Container): string {
  return `*${container}.names`;
}

const SCOPES: readonly Scope[] = ['req', 'res', 'locals', ...CONTAINERS];

/** Whether an input is made of request state, which caches downstream cannot see. */
export function isStateInput(input: string): boolean {
  return input.charCodeAt(0) === 64 /* @ */ || (input[0] === '*' && input !== ALL_HEADERS);
}

/** Whether an input is a request header of this name. */
export function isHeaderInput(input: string): boolean {
  return !/^[@*:]/.test(input);
}

/** Inputs that a URL keeps a list of. Beyond that its pages depend on everything. */
const MAX_INPUTS = 32;

/** A list of inputs, sorted, without those that others stand for. */
export function limitInputs(inputs: ReadonlySet<string>): readonly string[] {
  const hasAllHeaders = inputs.has(ALL_HEADERS);
  const list = [...inputs].filter((input) => !hasAllHeaders || !isHeaderInput(input));
  if (list.length <= MAX_INPUTS) return list.sort();
  const special = list.filter((input) => input.startsWith(':'));
  return [...special, ALL_HEADERS, ALL_STATE, STATE_NAMES].sort();
}

/** How a value compares: a text, or why it has none. */
export interface StateValue {
  /** `undefined`: absent. */
  readonly text: string | undefined;
  /** Whether the value cannot be compared. */
  readonly isOpaque?: true;
}

type ValueSettings = Pick<PageSettings, 'normalize' | 'state' | 'cookies'>;

/**
 * The values of the inputs of one request, as they were at the look-up. What the code inside writes
 * changes none of them.
 */
export class InputValues {
  readonly #req: Request;
  readonly #res: Response;
  readonly #settings: ValueSettings;
  #texts: Map<string, string | undefined> | undefined;
  #states: Map<string, StateValue> | undefined;
  /** Copies of what objects held at the look-up; until there are some, the objects themselves count. */
  #frozen: Map<Scope, ReadonlyMap<string, unknown>> | undefined;

  /**
   * @param headers - Those that count.
   * @param sent - All that the client has sent.
   */
  constructor(
    req: Request,
    res: Response,
    readonly headers: IncomingHttpHeaders,
    settings: ValueSettings,
    readonly sent: IncomingHttpHeaders = headers,
  ) {
    this.#req = req;
    this.#res = res;
    this.#settings = settings;
  }

  /** Reads the request without anybody noticing. */
  #peek<T>(read: () => T): T {
    return peekAt(this.#req, read);
  }

  /** Keeps the state as it is now, for the code inside may change it. */
  freeze(): void {
    const frozen = new Map<Scope, ReadonlyMap<string, unknown>>();
    for (const scope of SCOPES)
      frozen.set(
        scope,
        this.#peek(() => this.#copy(scope)),
      );
    this.#frozen = frozen;
  }

  #copy(scope: Scope): ReadonlyMap<string, unknown> {
    const copy = new Map<string, unknown>();
    const holder = holderOf(this.#req, this.#res, scope);
    if (holder === undefined) return copy;
    for (const key of stateKeys(this.#req, this.#res, scope)) copy.set(key, safely(holder, key));
    return copy;
  }

  /** The text of one input; `undefined` if it is absent. */
  of(input: string): string | undefined {
    const kind = input[0];
    if (kind !== '@' && kind !== '*') return this.#header(input);
    if (kind === '@') return this.#state(input);
    this.#texts ??= new Map();
    if (this.#texts.has(input)) return this.#texts.get(input);
    const text = this.#many(input);
    this.#texts.set(input, text);
    return text;
  }

  /** A piece of state, and whether it can be compared at all. */
  state(name: StateName): StateValue {
    const place = stateInput(name);
    this.#states ??= new Map();
    let known = this.#states.get(place);
    if (known === undefined) {
      known = this.#judge(name);
      this.#states.set(place, known);
    }
    return known;
  }

  #judge(name: StateName): StateValue {
    const { scope, key } = name;
    if (scope === 'req' && (CONTAINERS as readonly string[]).includes(key)) {
      const isThere =
        this.#peek(() => holderOf(this.#req, this.#res, key as Container)) !== undefined;
      return { text: isThere ? 'there' : undefined };
    }
    const value = this.#raw(name);
    if (value === undefined) return { text: undefined };
    if (scope === 'req' && key === 'query' && this.#peek(() => isParsedQuery(this.#req, value))) {
      return { text: undefined };
    }
    return this.#peek(() => this.#compare(name, value));
  }

  #compare(name: StateName, value: unknown): StateValue {
    const holders = [holderOf(this.#req, this.#res, name.scope), this.#req, this.#res];
    try {
      const language = languageOf(name.key, value, holders);
      if (language !== undefined) return { text: digestOf(language) as string };
      const place = stateInput(name);
      const digest = digestOf(value, (fn, path) => meetFunction(`${place}${path}`, fn));
      return digest === OPAQUE ? { text: undefined, isOpaque: true } : { text: digest };
    } catch {
      // A getter of the value threw.
      return { text: undefined, isOpaque: true };
    }
  }

  #raw({ scope, key }: StateName): unknown {
    if (this.#isHidden(scope, key)) return undefined;
    const frozen = this.#frozen?.get(scope);
    if (frozen !== undefined) return frozen.get(key);
    return this.#peek(() => {
      const holder = holderOf(this.#req, this.#res, scope);
      return holder === undefined ? undefined : safely(holder, key);
    });
  }

  /** Whether it is a cookie that does not count, which no handler is shown. */
  #isHidden(scope: Scope, key: string): boolean {
    const { cookies } = this.#settings;
    const isCookie = scope === 'cookies' || scope === 'signedCookies';
    return isCookie && cookies?.has(key) === false;
  }

  #state(input: string): string | undefined {
    const name = parseStateInput(input);
    const { text, isOpaque } = this.state(name);
    // Compared once before: the page then looked at one that could be compared.
    if (isOpaque) return `opaque ${this.of(ALL_HEADERS)} ${this.of(ALL_STATE)}`;
    return text;
  }

  #header(name: string): string | undefined {
    // What all objects have is no header: `constructor`.
    const value = Object.hasOwn(this.headers, name) ? this.headers[name] : undefined;
    if (value === undefined) return undefined;
    const sent = Array.isArray(value) ? value.join(', ') : value;
    return normalizeHeader(name, sent, this.#settings.normalize);
  }

  #many(input: string): string | undefined {
    if (input === ALL_HEADERS) return this.#allHeaders();
    if (input === STATE_NAMES) return this.#stateNames();
    if (input.endsWith('.names')) {
      return textOfNames(this.#namesIn(input.slice(1, -'.names'.length) as Scope));
    }
    const scopes = input === ALL_STATE ? SCOPES : [input.slice(1) as Scope];
    const parts: string[] = [];
    for (const scope of scopes) {
      for (const key of this.#keys(scope)) {
        const name = { scope, key };
        if (!isCounted(this.#settings.state, name) || isSessionCookie(name)) continue;
        const { text } = this.state(name);
        if (text === undefined) continue;
        const place = stateInput(name);
        if (input === ALL_STATE && isVolatile(place, this.of(ALL_HEADERS)!, text)) continue;
        parts.push(`${place}=${text}`);
      }
    }
    return parts.length === 0
      ? undefined
      : `#${hash('sha1', parts.sort().join('\n'), 'base64url')}`;
  }

  /** The fields that have a value: absent and `undefined` are one. */
  #namesIn(scope: Scope): string[] {
    return [...this.#keys(scope)].filter((key) => this.#raw({ scope, key }) !== undefined);
  }

  #keys(scope: Scope): Iterable<string> {
    return (
      this.#frozen?.get(scope)?.keys() ?? this.#peek(() => stateKeys(this.#req, this.#res, scope))
    );
  }

  #allHeaders(): string {
    const lines: string[] = [];
    for (const name of Object.keys(this.headers)) {
      if (countsWhenRead(name)) lines.push(`${name}:${this.#header(name)}`);
    }
    return `#${hash('sha1', lines.sort().join('\n'), 'base64url')}`;
  }

  #stateNames(): string | undefined {
    const names = [...this.#keys('req'), '', ...this.#keys('res')];
    return names.length === 1 ? undefined : textOfNames(names);
  }
}

/** The cookie of express-session tells when it expires, which changes with each request. */
function isSessionCookie({ scope, key }: StateName): boolean {
  return scope === 'session' && key === 'cookie';
}

/** A property, or `undefined` if its getter throws. */
function safely(holder: object, key: string): unknown {
  try {
    const value = readKey(holder, key);
    const isMade = Object.getOwnPropertyDescriptor(holder, key)?.get !== undefined;
    // Nobody waits for a promise that a getter has made for the cache.
    if (isMade && value instanceof Promise) value.catch(() => {});
    return value;
  } catch {
    return undefined;
  }
}

/** Names as one text. Short ones stay as they are, since a digest would take longer to make. */
function textOfNames(names: string[]): string | undefined {
  if (names.length === 0) return undefined;
  const text = names.sort().join(' ');
  return text.length <= 64 && /^[\w$ -]*$/.test(text)
    ? text
    : `#${hash('sha1', names.join('\n'), 'base64url')}`;
}
