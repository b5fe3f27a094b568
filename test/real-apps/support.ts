import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as cachewright from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { settled } from '../support/settled';
import { UNHURRIED } from '../support/unhurried';

// biome-ignore lint/suspicious/noExplicitAny: each package leaves other things on the request.
export type Loose = any;

export type Next = (error?: unknown) => void;
export type Middleware = (req: Loose, res: Loose, next: Next) => unknown;
/** What it returns is sent as text; `undefined`: it has answered by itself. */
export type Handler = (req: Loose, res: Loose) => unknown;

/**
 * Where the cache stands. `pair`: the middleware is between the halves; `after`: it is before both;
 * `page`: `cachePage` on each GET route; `app`: `cacheApp` around everything; `before`: the middleware
 * is in the option `before` of `cacheApp`; `none`: there is no cache.
 */
export type Mount = 'pair' | 'after' | 'page' | 'app' | 'before' | 'none';

/** Mounts on which the look-up comes after the middleware. */
export const INSIDE: readonly Mount[] = ['pair', 'after', 'page', 'before'];

export const MOUNTS: readonly Mount[] = [...INSIDE, 'app'];

const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4 };

export type Framework = keyof typeof FRAMEWORKS;

/** A place at which an app is tried. */
export interface Place {
  readonly mount: Mount;
  readonly framework: Framework;
}

export function placesOf(mounts: readonly Mount[] = MOUNTS): Place[] {
  const frameworks = Object.keys(FRAMEWORKS) as Framework[];
  return frameworks.flatMap((framework) => mounts.map((mount) => ({ mount, framework })));
}

/** Tests marked so pass on builds from before request state was part of the key. */
export const HELD = ' (held before)';

/** Of a test of one row that runs at each place. */
export interface RowOptions {
  readonly mounts?: readonly Mount[];
  /** Mounts on which the test passed before. */
  readonly held?: readonly Mount[];
}

/** A test for each mount and framework. Its name begins with the row's id. */
export function row(
  title: string,
  { mounts = MOUNTS, held = [] }: RowOptions,
  run: (place: Place) => Promise<void>,
): void {
  for (const place of placesOf(mounts)) {
    const mark = held.includes(place.mount) ? HELD : '';
    test(`${title} [${place.mount}, ${place.framework}]${mark}`, () => run(place));
  }
}

/** Asserts that the cache caches. Left out where the tests themselves are tried without a cache. */
export function useful(check: () => void): void {
  if (!('isControl' in cachewright)) check();
}

/** A site made of an app's parts. */
export interface SiteParts extends Place {
  /** Made anew for each site. */
  readonly middleware?: readonly Middleware[];
  /** `GET /path` and the like. */
  readonly routes?: Readonly<Record<string, Handler>>;
  /** What comes behind the routes, such as static files. */
  readonly last?: readonly Middleware[];
  readonly options?: Loose;
  readonly setup?: (app: Loose) => void;
}

export interface Site {
  readonly port: number;
  /** How often each GET handler has run, by path. */
  readonly renders: Record<string, number>;
}

const closers: (() => Promise<void>)[] = [];

/** To be called by each test file: caches are fresh for each test, and sites are closed after it. */
export function useRealApps(): void {
  beforeEach(async () => {
    await settled();
    cachewright.configureCaches({ default: { options: { maxEntries: 10_000 } } });
    cachewright.configurePageCache(UNHURRIED);
    await cachewright.caches.default.clear();
  });
  afterEach(async () => {
    // What was opened last may use what was opened before.
    for (const close of closers.splice(0).reverse()) await close();
  });
}

/** Calls `close` after the test. */
export function closeLater(close: () => unknown): void {
  closers.push(async () => {
    await close();
  });
}

/** Serves on a free port until the test has ended. */
export async function serve(listener: (req: Loose, res: Loose) => unknown): Promise<Site> {
  const server = http.createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeLater(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, renders: {} };
}

export function newApp(framework: Framework): Loose {
  const app = FRAMEWORKS[framework]();
  app.set('env', 'test');
  return app;
}

/** The parser of forms that the framework brings. */
export function urlencoded(framework: Framework): Middleware {
  return (FRAMEWORKS[framework] as Loose).urlencoded({ extended: false });
}

export function staticFiles(framework: Framework, root: string, options?: object): Middleware {
  return (FRAMEWORKS[framework] as Loose).static(root, options);
}

/** Opens a site on one of the mounts. */
export async function openSite(parts: SiteParts): Promise<Site> {
  const { mount, framework, middleware = [], routes = {}, last = [], setup } = parts;
  const options: Loose = { seconds: 60, cacheStatus: true, ...parts.options };
  const { seconds, ...pageOptions } = options;
  const { cacheApp, cachePage, fetchFromCache, updateCache } = cachewright;
  const app = newApp(framework);
  setup?.(app);
  if (mount === 'pair') app.use(updateCache(options));
  if (mount !== 'before') for (const each of middleware) app.use(each);
  if (mount === 'after') app.use(updateCache(options));
  if (mount === 'pair' || mount === 'after') app.use(fetchFromCache());
  const onRoute = mount === 'page' ? [cachePage(seconds, pageOptions)] : [];
  const renders: Record<string, number> = {};
  for (const [name, handler] of Object.entries(routes)) {
    const [method, path] = name.split(' ') as [string, string];
    const isGet = method === 'GET';
    app[method.toLowerCase()](
      path,
      ...(isGet ? onRoute : []),
      (req: Loose, res: Loose, next: Next) => {
        if (isGet) renders[path] = (renders[path] ?? 0) + 1;
        return answer(handler, req, res, next);
      },
    );
  }
  if (mount === 'page') for (const each of last) app.use(cachePage(seconds, pageOptions), each);
  else for (const each of last) app.use(each);
  app.use((error: Loose, _req: Loose, res: Loose, next: Next) => {
    if (res.headersSent) next(error);
    else res.status(error.status ?? 500).send(`${error.name}: ${error.message}`);
  });
  let listener = app;
  if (mount === 'app') listener = cacheApp(app, options);
  if (mount === 'before') listener = cacheApp(app, { ...options, before: middleware });
  return { ...(await serve(listener)), renders };
}

async function answer(handler: Handler, req: Loose, res: Loose, next: Next): Promise<void> {
  try {
    const text = await handler(req, res);
    if (text !== undefined && !res.headersSent) res.send(String(text));
  } catch (error) {
    next(error);
  }
}

/** What a visitor got. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** `Name: value`, a line each. */
  readonly lines: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  /** Of `Cache-Status`. */
  readonly outcome: string;
}

/** One request, and what came back. */
export function ask(
  { port }: Pick<Site, 'port'>,
  target: string,
  { method = 'GET', headers = {}, body, agent, from, timeoutMs = 20_000 }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const request = http.request(
      {
        ...{ host: '127.0.0.1', port, path: target, method, agent: agent ?? false },
        ...(from === undefined ? {} : { localAddress: from }),
        headers: { Host: 'www.example.com', ...length, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(answerOf(response, Buffer.concat(chunks))));
      },
    );
    request.on('error', reject);
    request.setTimeout(timeoutMs, () => request.destroy(new Error(`No answer to ${target}.`)));
    request.end(body);
  });
}

interface AskOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly agent?: http.Agent;
  /** Address of the client. */
  readonly from?: string;
  readonly timeoutMs?: number;
}

function answerOf(response: IncomingMessage, body: Buffer): Answer {
  const { rawHeaders, headers, statusCode = 0 } = response;
  return {
    status: statusCode,
    headers,
    lines: rawHeaders.flatMap((name, i) => (i % 2 === 0 ? `${name}: ${rawHeaders[i + 1]}` : [])),
    body,
    text: body.toString(),
    outcome: String(headers['cache-status'] ?? '-'),
  };
}

/** A browser: it keeps cookies, and its connection. */
export class Visitor {
  readonly jar: Map<string, string>;
  readonly headers: Record<string, string>;
  readonly #site: Pick<Site, 'port'>;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  constructor(site: Pick<Site, 'port'>, { cookies = {}, headers = {} }: VisitorOptions = {}) {
    this.#site = site;
    this.jar = new Map(Object.entries(cookies));
    this.headers = headers;
    closeLater(() => this.#agent.destroy());
  }

  get(target: string, headers?: Record<string, string>): Promise<Answer> {
    return this.send('GET', target, { headers });
  }

  async text(target: string): Promise<string> {
    return (await this.get(target)).text;
  }

  /** Sends a form. */
  post(target: string, fields: Record<string, string> = {}): Promise<Answer> {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return this.send('POST', target, { headers, body: new URLSearchParams(fields).toString() });
  }

  async send(
    method: string,
    target: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: string | Buffer } = {},
  ): Promise<Answer> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const all = { ...(cookie === '' ? {} : { Cookie: cookie }), ...this.headers, ...headers };
    const answer = await ask(this.#site, target, {
      ...{ method, headers: all, agent: this.#agent },
      ...(body === undefined ? {} : { body }),
    });
    for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line);
    await settled();
    return answer;
  }

  #keep(line: string): void {
    const [pair = ''] = line.split(';');
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    if (/expires=thu, 01 jan 1970|max-age=0/i.test(line)) this.jar.delete(name);
    else this.jar.set(name, pair.slice(at + 1));
  }
}

export interface VisitorOptions {
  readonly cookies?: Record<string, string>;
  readonly headers?: Record<string, string>;
}

/** A cookie of the request, without any package. */
export function cookieOf(req: IncomingMessage, name: string): string | undefined {
  return new RegExp(`(?:^|; )${name}=([^;]*)`).exec(req.headers.cookie ?? '')?.[1];
}

/** What a test says of an answer that is wrong. */
export function brief({ status, text, outcome, headers }: Answer): string {
  return `${status} "${text.slice(0, 90)}" [${outcome}; vary ${headers.vary ?? '-'}; ${headers['cache-control'] ?? '-'}]`;
}

/**
 * Whether a cache behind this one, or the browser, may hand the answer to others.
 *
 * @param by - What `Vary` has to name then.
 */
export function isSharedDownstream({ headers }: Answer, by = /cookie|\*/i): boolean {
  const control = headers['cache-control'] ?? '';
  const isFresh =
    /(?:max-age|s-maxage)=[1-9]/.test(control) ||
    /\bpublic\b/.test(control) ||
    Date.parse(headers.expires ?? '') > Date.now();
  return isFresh && !/private|no-store|no-cache/.test(control) && !by.test(headers.vary ?? '');
}

/** Asserts that neither a cache behind this one nor the browser hands the answer to others. */
export function expectOwn(answer: Answer, by?: RegExp): void {
  const isShared = isSharedDownstream(answer, by);
  expect({ isShared, answer: brief(answer) }).toMatchObject({ isShared: false });
}

/** Asserts that a page is rendered once for several visitors, and says how long it may be kept. */
export async function expectShared(
  site: Site,
  visitors: readonly Visitor[],
  path = '/same',
): Promise<void> {
  const before = site.renders[path] ?? 0;
  let last: Answer | undefined;
  for (const who of visitors) last = await who.get(path);
  useful(() => {
    expect({ renders: site.renders[path]! - before, answer: brief(last!) }).toMatchObject({
      renders: 1,
    });
    expect(last!.headers['cache-control']).toMatch(/max-age=[1-9]/);
  });
}

/** Everything that an answer says. */
export function wholeOf({ lines, text }: Answer): string {
  return [...lines, text].join('\n');
}

/** An app that knows its visitors, some of whose pages show who visits. */
export interface PersonalApp {
  readonly middleware: (framework: Framework) => readonly Middleware[];
  /** Greets the visitor: the page has the visitor's name, and `guest` for strangers. */
  readonly show: Handler;
  /** Of the route `POST /login?u=ann`. */
  readonly enter?: (req: Loose, res: Loose, name: string) => unknown;
  /** Logs in; by default at that route. */
  readonly login?: (who: Visitor, name: string) => unknown;
  /** What `Vary` may name so that caches behind may share the page. */
  readonly by?: RegExp;
  readonly options?: Loose;
  readonly setup?: (app: Loose) => void;
  readonly routes?: Record<string, Handler>;
  /** A page that is the same for all. */
  readonly same?: Handler;
  /** Mounts on which that page is rendered once for all. */
  readonly sharedOn?: readonly Mount[];
  /** Mounts on which a visitor who comes again gets a stored page. */
  readonly storedOn?: readonly Mount[];
}

/**
 * Ann, Bob, a stranger, and a stranger with a cookie of a statistics service visit a page that greets
 * them, and one that is the same for all. Nobody gets another's; all strangers share one greeting; who
 * comes again is not rendered for again; the second page is rendered once.
 */
export function personalRow(title: string, app: PersonalApp, options: RowOptions = {}): void {
  const { sharedOn = INSIDE, storedOn = INSIDE } = app;
  row(title, { held: ['app'], ...options }, async (place) => {
    const site = await openPersonalSite(app, place);
    const people = await visitorsOf(site, app);
    await showsEachTheirOwn('/me', people, app, ['ann', 'bob', 'stranger', 'tracked']);
    await showsEachTheirOwn('/other', people, app, ['tracked', 'stranger', 'bob', 'ann']);
    useful(() => {
      if (!storedOn.includes(place.mount)) return;
      // Ann, Bob and one for all strangers.
      expect(site.renders).toMatchObject({ '/me': 3, '/other': 3 });
    });
    if (!sharedOn.includes(place.mount)) return;
    for (const who of [people.ann, people.bob, people.stranger, people.tracked]) {
      expect(await who.text('/same')).toBe('the same for all');
    }
    useful(() => expect(site.renders['/same']).toBe(1));
    // A stranger comes first.
    for (const who of [new Visitor(site), people.tracked, people.ann]) await who.get('/also');
    useful(() => expect(site.renders['/also']).toBe(1));
  });
}

type People = Record<'ann' | 'bob' | 'stranger' | 'tracked', Visitor>;

function openPersonalSite(app: PersonalApp, place: Place): Promise<Site> {
  const { show, enter, routes = {}, same = () => 'the same for all' } = app;
  const url = (req: Loose) => new URL(req.originalUrl, 'http://x');
  return openSite({
    ...place,
    options: app.options,
    middleware: app.middleware(place.framework),
    ...(app.setup === undefined ? {} : { setup: app.setup }),
    routes: {
      'POST /login': async (req, res) =>
        (await enter?.(req, res, url(req).searchParams.get('u')!)) ?? 'welcome',
      'GET /me': show,
      'GET /other': show,
      'GET /same': same,
      'GET /also': same,
      ...routes,
    },
  });
}

async function visitorsOf(site: Site, { login }: PersonalApp): Promise<People> {
  const enter = login ?? ((who, name) => who.post(`/login?u=${name}`));
  const people = {
    ann: new Visitor(site),
    bob: new Visitor(site),
    stranger: new Visitor(site),
    tracked: new Visitor(site, { cookies: { _ga: 'GA1.1.77' } }),
  };
  await enter(people.ann, 'ann');
  await enter(people.bob, 'bob');
  return people;
}

async function showsEachTheirOwn(
  path: string,
  people: People,
  { by }: PersonalApp,
  order: readonly (keyof People)[],
): Promise<void> {
  // Twice, as the second time may come from the cache.
  for (const name of [...order, ...order]) {
    const answer = await people[name].get(path);
    const own = name === 'ann' || name === 'bob' ? name : 'guest';
    expect(`${name}: ${brief(answer)}`).toMatch(new RegExp(`\\b${own}\\b`));
    for (const other of ['ann', 'bob', 'guest'].filter((each) => each !== own)) {
      expect(wholeOf(answer)).not.toMatch(new RegExp(`\\b${other}\\b`));
    }
    if (own !== 'guest') {
      expectOwn(answer, by);
    }
  }
}

export type { IncomingMessage, ServerResponse };
