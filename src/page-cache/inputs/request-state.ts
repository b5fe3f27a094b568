import { IncomingMessage, ServerResponse } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Request, Response } from '../../headers/middleware';
import type { StateSettings } from '../page-settings';

/**
 * Where request state lives: own properties of the request and the response, and the fields of four
 * objects that count one by one.
 */
export type Scope = 'req' | 'res' | 'locals' | 'session' | 'cookies' | 'signedCookies';

/** Objects whose fields count one by one. */
export const CONTAINERS = ['session', 'cookies', 'signedCookies'] as const;

export type Container = (typeof CONTAINERS)[number] | 'locals';

/** A piece of request state: where it is, and under which key. */
export interface StateName {
  readonly scope: Scope;
  readonly key: string;
}

/**
 * Names that Node, Express, Connect and on-finished put on requests and responses, or look for. What
 * matters of them (the target, the method, the headers) is in the key already.
 */
const OF_FRAMEWORKS = new Set([
  ...['app', 'baseUrl', 'next', 'originalUrl', 'params', 'req', 'res', 'route', 'secret'],
  ...['_parsedUrl', '_parsedOriginalUrl', '__onFinished', 'writable', 'writableEnded', 'finished'],
  ...[
    '_maxRequestsPerSocket',
    '_writableState',
    'headers',
    'headersDistinct',
    'trailersDistinct',
    'cacheTags',
    'constructor',
  ],
  // Node's server sets these two after it has made the response.
  ...['_maxRequestsPerSocket', '_expect_continue'],
  ...['abort', 'aborted', 'closed', 'errored', 'readable', 'stream', 'destroyed'],
  ...['hasOwnProperty', 'then', 'toJSON', 'toString', 'valueOf', 'inspect', 'nodeType', '_header'],
]);

const SYMBOLS_OF_FRAMEWORKS = /^(?:cachewright|router|kHeaders|kTrailers|nodejs|async)/;

const NATIVE = {
  req: nativeKeys(IncomingMessage, Http2ServerRequest),
  res: nativeKeys(ServerResponse, Http2ServerResponse),
};

/** The keys that a request or response has before anybody has put something on it. */
function nativeKeys(
  ...classes: readonly (new (
    ...args: never[]
  ) => object)[]
): Set<string | symbol> {
  const keys = new Set<string | symbol>();
  const [http1, http2] = classes;
  const add = (value: object) => {
    for (const key of Reflect.ownKeys(value)) keys.add(key);
  };
  add(
    new (http1 as unknown as new (arg: object) => object)({ method: 'GET', httpVersionMajor: 1 }),
  );
  // HTTP/2's cannot be made without a stream. What they have of their own they keep under symbols.
  for (const name of ['_events', '_eventsCount', '_maxListeners', '_readableState', 'writable']) {
    if (http2 !== undefined) keys.add(name);
  }
  return keys;
}

/** Whether this key of a request or response is state, and not what the frameworks keep there. */
export function isStateKey(scope: 'req' | 'res', key: string | symbol): boolean {
  if (NATIVE[scope].has(key)) return false;
  if (typeof key === 'string') return !OF_FRAMEWORKS.has(key);
  const { description = '' } = key;
  return !SYMBOLS_OF_FRAMEWORKS.test(description) && !HTTP2_SYMBOLS.has(description);
}

/** Descriptions of the symbols under which Node keeps what HTTP/2's API needs. */
const HTTP2_SYMBOLS = new Set([
  ...['aborted', 'headers', 'kState', 'kStream', 'rawHeaders', 'rawTrailers', 'state', 'stream'],
  ...['trailers', 'kCapture', 'kProxySocket', 'proxySocket', 'request', 'setHeader', 'begin-send'],
  ...['appendHeader', 'kHeaders', 'kBeginSend', 'kSetHeader', 'shapeMode', 'kErrored', 'errored'],
  ...['ServerResponseStatistics', 'corked', 'kNeedDrain', 'kBytesWritten', 'kOutHeaders'],
  ...['kHighWaterMark', 'kRejectNonStandardBodyWrites', 'kUniqueHeaders', 'kConnectionsKey'],
]);

/** The name of an input made of state, as it stands in the list of a page's inputs. */
export function stateInput({ scope, key }: StateName): string {
  return `@${scope}.${key.replace(/[^\w$-]/g, (char) => `%${char.charCodeAt(0).toString(16)}%`)}`;
}

/** Names that were parsed, as each hit asks for the same ones. */
const parsed = new Map<string, StateName>();
const MAX_PARSED = 2000;

/** What {@link stateInput} was made of. */
export function parseStateInput(input: string): StateName {
  let name = parsed.get(input);
  if (name === undefined) {
    const dot = input.indexOf('.');
    const key = input.slice(dot + 1).replace(/%([\da-f]+)%/g, (_, code: string) => {
      return String.fromCharCode(Number.parseInt(code, 16));
    });
    name = { scope: input.slice(1, dot) as Scope, key };
    if (parsed.size < MAX_PARSED) parsed.set(input, name);
  }
  return name;
}

/** A key as it is written in the name of an input. */
export function keyName(key: string | symbol): string {
  return typeof key === 'string' ? key : `Symbol(${key.description ?? ''})`;
}

/** Whether the site lets this piece of state count (`key.state`). */
export function isCounted({ ignore, only }: StateSettings, { scope, key }: StateName): boolean {
  const isNamed = (names: ReadonlySet<string>) =>
    names.has(`${scope}.${key}`) || names.has(scope) || (scope === 'req' && names.has(key));
  return !isNamed(ignore) && (only === undefined || isNamed(only));
}

/** The object that has the state of this scope; `undefined`: there is none. */
export function holderOf(req: Request, res: Response, scope: Scope): object | undefined {
  if (scope === 'req') return req;
  if (scope === 'res') return res;
  const owner = scope === 'locals' ? res : req;
  if (!Object.hasOwn(owner, scope)) return undefined;
  const holder = (owner as unknown as Record<string, unknown>)[scope];
  return typeof holder === 'object' && holder !== null ? holder : undefined;
}

/** An own property. Middleware may have put it there as a getter. */
export function readKey(holder: object, key: string): unknown {
  const own = key.startsWith('Symbol(')
    ? Object.getOwnPropertySymbols(holder).find((symbol) => keyName(symbol) === key)
    : key;
  if (own === undefined || !Object.hasOwn(holder, own)) return undefined;
  return (holder as Record<string | symbol, unknown>)[own];
}

/** The keys of a scope, as they are named in inputs. */
export function stateKeys(req: Request, res: Response, scope: Scope): string[] {
  const holder = holderOf(req, res, scope);
  if (holder === undefined) return [];
  if (scope !== 'req' && scope !== 'res') return Object.keys(holder);
  const keys: string[] = [];
  for (const key of Reflect.ownKeys(holder)) {
    if (!isStateKey(scope, key) || isContainer(scope, key)) continue;
    if (scope === 'res' && isReplacedMethod(holder, key)) continue;
    keys.push(keyName(key));
  }
  return keys;
}

export function isContainer(scope: 'req' | 'res', key: string | symbol): boolean {
  return scope === 'res' ? key === 'locals' : CONTAINERS.includes(key as never);
}

/** Whether middleware has put its own function in the place of a method, as compression does. */
export function isReplacedMethod(holder: object, key: string | symbol): boolean {
  const own = Object.getOwnPropertyDescriptor(holder, key);
  const prototype = Object.getPrototypeOf(holder) as Record<string | symbol, unknown> | null;
  return typeof own?.value === 'function' && typeof prototype?.[key] === 'function';
}

/** Whether `req.query` is what Express has made of the target, which is in the key. */
export function isParsedQuery(req: Request, query: unknown): boolean {
  const { app, url = '' } = req as { app?: { get?: (name: string) => unknown }; url?: string };
  const parse = app?.get?.('query parser fn');
  const mark = url.indexOf('?');
  if (mark < 0 && typeof query === 'object' && Object.keys(query ?? {}).length === 0) return true;
  const parsed: unknown =
    typeof parse === 'function' ? parse(mark < 0 ? '' : url.slice(mark + 1)) : {};
  return JSON.stringify(parsed) === JSON.stringify(query);
}
