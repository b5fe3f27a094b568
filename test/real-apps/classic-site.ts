// A site as many are, and a crowd that visits it: helmet with a nonce, compression, cors, cookies,
// express-session, passport-local, flash messages, CSRF tokens, logs, a rate limit, i18next, static
// files, uploads, and EJS with a layout that shows the user. A model says what each visitor may see.
//
//   npm run classic-site
//   npm run classic-site -- --visitors 50 --views 2000 --seed 7
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { caches, configureCaches, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { randomFrom } from '../support/seeded-random';
import { type Answer, brief, isSharedDownstream, type Loose, Visitor } from './support';

const compression: Loose = require('compression');
const cookieParser: Loose = require('cookie-parser');
const cors: Loose = require('cors');
const { csrfSync }: Loose = require('csrf-sync');
const flash: Loose = require('connect-flash');
const helmet: Loose = require('helmet');
const i18next: Loose = require('i18next');
const i18nextHttp: Loose = require('i18next-http-middleware');
const morgan: Loose = require('morgan');
const multer: Loose = require('multer');
const { Passport }: Loose = require('passport');
const { Strategy }: Loose = require('passport-local');
const pinoHttp: Loose = require('pino-http');
const { rateLimit }: Loose = require('express-rate-limit');
const session: Loose = require('express-session');

/** The only option that is not the default: room for a variant of each page for each user. */
const MAX_ENTRIES = 50_000;

/** Pages that show neither a nonce nor a token, and what they are called. */
const PUBLIC_PAGES = [
  ...['/', '/about', '/terms', '/help'],
  ...Array.from({ length: 8 }, (_, i) => `/news/${i + 1}`),
  ...Array.from({ length: 10 }, (_, i) => `/products/${i + 1}`),
];

const OTHER_PAGES = [
  ...['/account', '/cart', '/visits', '/api/me', '/contact', '/login', '/chat', '/search'],
];

const WORDS = {
  en: { hi: 'Hello', page: 'This is' },
  de: { hi: 'Hallo', page: 'Das ist' },
} as const;

type Language = keyof typeof WORDS;

const VIEWS: Record<string, string> = {
  layout: `<!doctype html>
<html lang="<%= lang %>"><body data-user="<%= locals.user ? user.mark : 'guest' %>">
<p><%= t('hi') %></p>
<% messages.forEach((message) => { %><b class="flash"><%= message %></b><% }); %>
<%- body %>
</body></html>`,
  page: '<h1><%= t("page") %> <%= path %></h1><p><%= "word ".repeat(300) %></p>',
  account: '<h1>account</h1><i>avatar <%= user.avatar %></i>',
  list: '<h1>list</h1><%= items.join(",") %>;',
  form: '<form method="post"><input name="_csrf" value="<%= token %>"></form>',
  script: '<script nonce="<%= nonce %>">go()</script>',
};

interface User {
  readonly id: number;
  /** Changes with each change of the user's data, and is no other's. */
  mark: string;
  avatar: string;
}

/** The site, running. */
export interface ClassicSite {
  readonly port: number;
  /** Lines of the log. */
  readonly logged: () => number;
  close(): Promise<void>;
}

/** Opens the site on a free port. */
export async function openClassicSite(): Promise<ClassicSite> {
  const folder = mkdtempSync(join(tmpdir(), 'cachewright-classic-'));
  for (const [name, text] of Object.entries(VIEWS))
    writeFileSync(join(folder, `${name}.ejs`), text);
  writeFileSync(join(folder, 'site.css'), 'body { color: black }\n');
  configureCaches({ default: { options: { maxEntries: MAX_ENTRIES } } });
  await caches.default.clear();
  let logged = 0;
  const app = await classicApp(folder, () => {
    logged += 1;
  });
  const server = http.createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    logged: () => logged,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function classicApp(folder: string, onLog: () => void): Promise<Loose> {
  const users = new Map<string, User>();
  const words = i18next.createInstance();
  await words.use(i18nextHttp.LanguageDetector).init({
    ...{ fallbackLng: 'en', supportedLngs: ['en', 'de'], preload: ['en', 'de'] },
    detection: { order: ['cookie', 'header'], lookupCookie: 'lang', caches: false },
    resources: { en: { translation: WORDS.en }, de: { translation: WORDS.de } },
  });
  const { csrfSynchronisedProtection, generateToken } = csrfSync({
    getTokenFromRequest: (req: Loose) => req.body?._csrf,
  });
  const passport = new Passport();
  passport.use(new Strategy((name: string, _: string, done: Loose) => done(null, userOf(name))));
  passport.serializeUser((user: User, done: Loose) => done(null, String(user.id)));
  // A new object for each request, as from a database.
  passport.deserializeUser((id: string, done: Loose) => done(null, { ...userOf(id) }));
  function userOf(id: string): User {
    let user = users.get(id);
    if (user === undefined) {
      user = { id: Number(id), mark: `mark-${id}-0`, avatar: 'none' };
      users.set(id, user);
    }
    return user;
  }

  const app: Loose = express();
  app.engine('ejs', require('ejs3').__express);
  app.set('views', folder).set('view engine', 'ejs');
  app.use(updateCache({ seconds: 600, cacheStatus: true }));
  app.use(morgan('combined', { stream: { write: onLog } }));
  app.use(pinoHttp({}, { write: () => {} }));
  app.use((req: Loose, res: Loose, next: Loose) => {
    res.set('X-Request-Id', req.headers['x-request-id']);
    res.locals.cspNonce = randomBytes(12).toString('hex');
    next();
  });
  const scriptSrc = ["'self'", (_req: Loose, res: Loose) => `'nonce-${res.locals.cspNonce}'`];
  app.use(helmet({ contentSecurityPolicy: { directives: { scriptSrc } } }));
  app.use(cors({ origin: true, credentials: true }));
  app.use(compression({ threshold: 500 }));
  const limit = { windowMs: 3_600_000, limit: 1e7, standardHeaders: true, legacyHeaders: false };
  app.use(rateLimit({ ...limit, validate: false }));
  app.use('/static', express.static(folder, { maxAge: '1h' }));
  app.use(cookieParser());
  app.use(express.urlencoded({ extended: false }));
  app.use(session({ secret: 'classic', resave: false, saveUninitialized: false }));
  app.use(passport.session());
  app.use(flash());
  app.use(i18nextHttp.handle(words));
  app.use((req: Loose, res: Loose, next: Loose) => {
    res.locals.user = req.user;
    res.locals.lang = req.language;
    if (req.method === 'GET') res.locals.messages = req.flash('info');
    next();
  });
  app.use(fetchFromCache());

  const view = (res: Loose, next: Loose, name: string, data: object) => {
    res.render(name, data, (error: unknown, body: string) => {
      if (error) next(error);
      else res.render('layout', { body });
    });
  };
  for (const path of PUBLIC_PAGES) {
    app.get(path, (req: Loose, res: Loose, next: Loose) =>
      view(res, next, 'page', { path: req.path }),
    );
  }
  app.get('/account', (req: Loose, res: Loose, next: Loose) => {
    if (!req.user) return res.status(401).send('log in first');
    return view(res, next, 'account', {});
  });
  app.get('/cart', (req: Loose, res: Loose, next: Loose) =>
    view(res, next, 'list', { items: req.session.cart ?? [] }),
  );
  app.get('/visits', (req: Loose, res: Loose, next: Loose) => {
    req.session.visits = (req.session.visits ?? 0) + 1;
    view(res, next, 'list', { items: [`visits ${req.session.visits}`] });
  });
  app.get('/api/me', (req: Loose, res: Loose) => res.json({ user: req.user?.mark ?? 'guest' }));
  for (const path of ['/contact', '/login']) {
    app.get(path, (req: Loose, res: Loose, next: Loose) =>
      view(res, next, 'form', { token: generateToken(req) }),
    );
  }
  for (const path of ['/chat', '/search']) {
    app.get(path, (_req: Loose, res: Loose, next: Loose) =>
      view(res, next, 'script', { nonce: res.locals.cspNonce }),
    );
  }
  app.get('/logout', (req: Loose, res: Loose, next: Loose) =>
    req.logout((error: unknown) => (error ? next(error) : res.redirect('/'))),
  );
  app.post('/login', passport.authenticate('local'), (_req: Loose, res: Loose) =>
    res.redirect(303, '/'),
  );
  app.post('/logout', (req: Loose, res: Loose) =>
    req.session.destroy(() => res.redirect(303, '/')),
  );
  app.post('/contact', csrfSynchronisedProtection, (_req: Loose, res: Loose) => res.send('sent'));
  app.post('/cart', (req: Loose, res: Loose) => {
    req.session.cart ??= [];
    req.session.cart.push(req.body.item);
    res.redirect(303, '/cart');
  });
  app.post('/settings', (req: Loose, res: Loose) => {
    userOf(String(req.user.id)).mark = req.body.mark;
    req.flash('info', `changed to ${req.body.mark}`);
    res.redirect(303, '/account');
  });
  app.post('/avatar', multer().single('avatar'), (req: Loose, res: Loose) => {
    userOf(String(req.user.id)).avatar = req.file.originalname;
    res.redirect(303, '/account');
  });
  app.use((error: Loose, _req: Loose, res: Loose, _next: Loose) => {
    res.status(error.statusCode ?? error.status ?? 500).send(String(error.message));
  });
  return app;
}

/** How large the crowd is. */
export interface CrowdSize {
  readonly visitors: number;
  /** Of these visitors, so many have an account. */
  readonly users: number;
  readonly views: number;
  readonly seed: number;
}

/** What came of the visits. */
export interface CrowdReport {
  readonly views: number;
  /** Views of public pages by visitors who are not logged in, after the first round; hits of these. */
  readonly publicViews: number;
  readonly publicHits: number;
  /** Hits of all views. */
  readonly hits: number;
  /** Whatever a visitor should not have seen. */
  readonly faults: readonly string[];
  /** Why public pages were rendered after all, and how often. */
  readonly misses: ReadonlyMap<string, number>;
}

/** What the model knows of a visitor. */
interface Person {
  readonly visitor: Visitor;
  /** The account, if there is one. */
  readonly id: number | undefined;
  readonly origin: string | undefined;
  readonly isGzip: boolean;
  language: Language;
  isIn: boolean;
  mark: string;
  avatar: string;
  cart: string[];
  visits: number;
  /** A flash message that the next page shows. */
  message: string | undefined;
}

const CONCURRENT = 8;

/** Has a crowd visit the site, some at the same time, and checks each answer with the model. */
export async function visitClassicSite(site: ClassicSite, size: CrowdSize): Promise<CrowdReport> {
  const crowd = new Crowd(site, size);
  await crowd.firstRound();
  await crowd.visit();
  return crowd.report();
}

class Crowd {
  readonly #size: CrowdSize;
  readonly #site: ClassicSite;
  readonly #random: () => number;
  readonly #people: readonly Person[];
  readonly #faults: string[] = [];
  readonly #misses = new Map<string, number>();
  readonly #nonces = new Set<string>();
  readonly #limits = new Set<string>();
  readonly #sessions = new Map<string, Person>();
  /** Marks that users once had. */
  readonly #marks = new Map<string, Person>();
  #requests = 0;
  #views = 0;
  #hits = 0;
  #publicViews = 0;
  #publicHits = 0;

  constructor(site: ClassicSite, size: CrowdSize) {
    this.#site = site;
    this.#size = size;
    this.#random = randomFrom(size.seed);
    this.#people = Array.from({ length: size.visitors }, (_, i) => this.#person(i));
  }

  #person(i: number): Person {
    const language = this.#random() < 0.5 ? 'en' : 'de';
    const isGzip = this.#random() < 0.5;
    const origin = this.#random() < 0.2 ? 'https://spa.example' : undefined;
    const cookies: Record<string, string> = {};
    if (this.#random() < 0.7) cookies._ga = `GA1.${i}`;
    if (this.#random() < 0.3) cookies._fbp = `fb.${i}`;
    const headers = {
      'Accept-Language': language === 'de' ? pick(['de', 'de-AT,de;q=0.9'], this.#random) : 'en',
      'User-Agent': `Browser/${i}`,
      ...(isGzip ? { 'Accept-Encoding': 'gzip' } : {}),
      ...(origin === undefined ? {} : { Origin: origin }),
    };
    const person: Person = {
      visitor: new Visitor(this.#site, { cookies, headers }),
      id: i < this.#size.users ? i : undefined,
      ...{ origin, isGzip, language, isIn: false, mark: `mark-${i}-0`, avatar: 'none' },
      ...{ cart: [], visits: 0, message: undefined },
    };
    this.#marks.set(person.mark, person);
    return person;
  }

  /** Strangers of each kind see each public page. */
  async firstRound(): Promise<void> {
    const kinds = new Map<string, Person>();
    for (const person of this.#people) {
      const { language, isGzip, origin } = person;
      kinds.set(`${language} ${isGzip} ${origin}`, person);
    }
    for (const path of PUBLIC_PAGES) {
      for (const person of kinds.values()) await this.#view(person, path);
    }
    this.#views = 0;
    this.#hits = 0;
    this.#publicViews = 0;
    this.#publicHits = 0;
    this.#misses.clear();
  }

  async visit(): Promise<void> {
    while (this.#views < this.#size.views) {
      const people = new Set<Person>();
      while (people.size < Math.min(CONCURRENT, this.#people.length)) {
        people.add(pick(this.#people, this.#random));
      }
      await Promise.all([...people].map((person) => this.#turn(person, this.#random())));
    }
  }

  report(): CrowdReport {
    if (this.#requests !== this.#site.logged()) {
      this.#fault(`${this.#requests} requests, and ${this.#site.logged()} lines in the log`);
    }
    return {
      views: this.#views,
      publicViews: this.#publicViews,
      publicHits: this.#publicHits,
      hits: this.#hits,
      faults: this.#faults,
      misses: this.#misses,
    };
  }

  /** Something that a visitor does, and a page that is looked at afterwards. */
  async #turn(person: Person, chance: number): Promise<void> {
    const path =
      this.#random() < 0.65 ? pick(PUBLIC_PAGES, this.#random) : pick(OTHER_PAGES, this.#random);
    if (person.id !== undefined && !person.isIn && chance < 0.15) await this.#logIn(person);
    else if (person.isIn && chance < 0.04) await this.#logOut(person, chance < 0.02);
    else if (person.isIn && chance < 0.07) await this.#change(person);
    else if (person.isIn && chance < 0.09) await this.#upload(person);
    else if (chance > 0.96) await this.#fill(person);
    else if (chance > 0.94) this.#choose(person);
    else if (chance > 0.92) await this.#contact(person);
    else if (chance > 0.91) await this.#style(person);
    await this.#view(person, path);
  }

  async #logIn(person: Person): Promise<void> {
    await this.#send(person, 'POST', '/login', { username: String(person.id), password: 'x' });
    // passport begins a new session.
    Object.assign(person, { isIn: true, cart: [], visits: 0, message: undefined });
  }

  async #logOut(person: Person, isGet: boolean): Promise<void> {
    if (isGet) await this.#send(person, 'GET', '/logout');
    else await this.#send(person, 'POST', '/logout', {});
    Object.assign(person, { isIn: false, cart: [], visits: 0, message: undefined });
  }

  async #change(person: Person): Promise<void> {
    const mark = `mark-${person.id}-${Number(person.mark.split('-')[2]) + 1}`;
    this.#marks.set(mark, person);
    await this.#send(person, 'POST', '/settings', { mark });
    Object.assign(person, { mark, message: `changed to ${mark}` });
  }

  async #upload(person: Person): Promise<void> {
    const avatar = `face-${person.id}-${this.#requests}.png`;
    const head = `Content-Disposition: form-data; name="avatar"; filename="${avatar}"`;
    const body = `--x\r\n${head}\r\nContent-Type: image/png\r\n\r\nbytes\r\n--x--\r\n`;
    const type = { 'Content-Type': 'multipart/form-data; boundary=x' };
    await this.#send(person, 'POST', '/avatar', body, type);
    person.avatar = avatar;
  }

  async #fill(person: Person): Promise<void> {
    const item = `item${Math.floor(this.#random() * 100)}`;
    await this.#send(person, 'POST', '/cart', { item });
    person.cart.push(item);
  }

  #choose(person: Person): void {
    person.language = person.language === 'en' ? 'de' : 'en';
    person.visitor.jar.set('lang', person.language);
  }

  async #contact(person: Person): Promise<void> {
    const page = await this.#view(person, '/contact');
    const token = /value="([^"]+)"/.exec(textOf(page))?.[1] ?? 'none';
    const answer = await this.#send(person, 'POST', '/contact', { _csrf: token });
    if (textOf(answer) !== 'sent') this.#fault(`/contact: the form is refused: ${brief(answer)}`);
  }

  async #style(person: Person): Promise<void> {
    const answer = await this.#send(person, 'GET', '/static/site.css');
    if (!textOf(answer).startsWith('body {')) this.#fault(`/static: ${brief(answer)}`);
  }

  async #view(person: Person, path: string): Promise<Answer> {
    // What the page has to show is what was so when it was asked for.
    const expected = { ...person, cart: person.cart.join(',') };
    person.message = undefined;
    if (path === '/visits') person.visits += 1;
    const answer = await this.#send(person, 'GET', path);
    this.#views += 1;
    const isHit = /\bhit\b/.test(answer.outcome);
    if (isHit) this.#hits += 1;
    if (!person.isIn && expected.message === undefined && PUBLIC_PAGES.includes(path)) {
      this.#publicViews += 1;
      if (isHit) this.#publicHits += 1;
      else this.#misses.set(answer.outcome, (this.#misses.get(answer.outcome) ?? 0) + 1);
    }
    const text = textOf(answer);
    const at = `${path} for ${person.isIn ? person.mark : 'a stranger'}`;
    const must = (isRight: boolean, what: string) => {
      if (!isRight) this.#fault(`${at}: ${what}: ${brief({ ...answer, text })}`);
    };
    if (path === '/account' && !person.isIn) {
      must(answer.status === 401, 'not refused');
      return answer;
    }
    must(answer.status === 200, 'the status');
    must(text.includes(person.isIn ? person.mark : 'guest'), 'not greeted');
    if (path === '/api/me') return answer;
    must(text.includes(`<p>${WORDS[expected.language].hi}</p>`), 'another language');
    const messages = [...text.matchAll(/class="flash">([^<]*)</g)].map(([, message]) => message);
    const wanted = expected.message === undefined ? [] : [expected.message];
    must(messages.join() === wanted.join(), `messages: ${messages.join()} for ${wanted.join()}`);
    if (PUBLIC_PAGES.includes(path)) {
      must(text.includes(`${WORDS[expected.language].page} ${path}<`), 'another page');
    }
    if (path === '/account') must(text.includes(`avatar ${person.avatar}<`), 'another avatar');
    if (path === '/cart') must(text.includes(`</h1>${expected.cart};`), 'another cart');
    if (path === '/visits') must(text.includes(`</h1>visits ${person.visits};`), 'the counter');
    if (path === '/chat' || path === '/search') {
      must(text.includes(`nonce="${nonceOf(answer)}"`), 'the nonce is not that of the header');
    }
    return answer;
  }

  async #send(
    person: Person,
    method: string,
    path: string,
    form?: Record<string, string> | string,
    type = { 'Content-Type': 'application/x-www-form-urlencoded' },
  ): Promise<Answer> {
    this.#requests += 1;
    const id = `request-${this.#requests}`;
    const body = typeof form === 'object' ? new URLSearchParams(form).toString() : form;
    const answer = await person.visitor.send(method, path, {
      headers: { 'X-Request-Id': id, ...(body === undefined ? {} : type) },
      ...(body === undefined ? {} : { body }),
    });
    this.#judge(person, id, answer, `${method} ${path}`);
    return answer;
  }

  /** What holds for every answer: its fields are those of its own request, its data the visitor's. */
  #judge(person: Person, id: string, answer: Answer, what: string): void {
    const { headers, lines } = answer;
    const must = (isRight: boolean, text: string) => {
      if (!isRight) this.#fault(`${what}: ${text}: ${brief({ ...answer, text: textOf(answer) })}`);
    };
    must(headers['x-request-id'] === id, `request id ${headers['x-request-id']} for ${id}`);
    must(headers['access-control-allow-origin'] === person.origin, 'the origin of another');
    const nonce = nonceOf(answer);
    must(nonce !== undefined && !this.#nonces.has(nonce), 'a nonce that was there before');
    this.#nonces.add(String(nonce));
    const left = String(headers['ratelimit-remaining']);
    must(/^\d+$/.test(left) && !this.#limits.has(left), 'a rate limit that was there before');
    this.#limits.add(left);
    for (const line of headers['set-cookie'] ?? []) {
      const sid = /^connect\.sid=([^;]+)/.exec(line)?.[1];
      if (sid === undefined) continue;
      const owner = this.#sessions.get(sid) ?? person;
      must(owner === person, 'the session of another');
      this.#sessions.set(sid, person);
    }
    const isEncoded = headers['content-encoding'] === 'gzip';
    must(!isEncoded || person.isGzip, 'an encoding that was not asked for');
    const all = [...lines, textOf(answer)].join('\n');
    for (const [mark] of all.matchAll(/mark-\d+-\d+/g)) {
      must(this.#marks.get(mark) === person, `the data of another, ${mark}`);
      must(mark === person.mark, `data from before, ${mark} instead of ${person.mark}`);
      must(!isSharedDownstream(answer), 'kept for others by caches behind');
    }
  }

  #fault(text: string): void {
    // The first of each kind says most.
    const kind = text.replace(/[\d"].*/s, '');
    const count = this.#faults.filter((each) => each.startsWith(kind)).length;
    if (count < 3) this.#faults.push(text);
  }
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)]!;
}

function textOf({ headers, body }: Answer): string {
  return String(headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
}

function nonceOf({ headers }: Answer): string | undefined {
  return /'nonce-(\w+)'/.exec(String(headers['content-security-policy']))?.[1];
}

/** The least share of public views by strangers that are hits after the first round. */
export const LEAST_HITS = 0.95;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      visitors: { type: 'string', default: '500' },
      users: { type: 'string', default: '300' },
      views: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    },
  });
  const size: CrowdSize = {
    visitors: Number(values.visitors),
    users: Number(values.users),
    views: Number(values.views),
    seed: Number(values.seed),
  };
  console.log(
    `${size.visitors} visitors, ${size.users} of them with an account, ${size.views} views of ${PUBLIC_PAGES.length + OTHER_PAGES.length} pages (${PUBLIC_PAGES.length} public), seed ${size.seed}, maxEntries ${MAX_ENTRIES}`,
  );
  const site = await openClassicSite();
  const startedAt = performance.now();
  const report = await visitClassicSite(site, size);
  await site.close();
  const { views, hits, publicViews, publicHits, faults, misses } = report;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const share = publicHits / publicViews;
  console.log(`${views} views in ${seconds} s, ${hits} of them hits`);
  console.log(
    `public pages, not logged in: ${publicHits} of ${publicViews} are hits, ${(100 * share).toFixed(1)} % (at least ${100 * LEAST_HITS} %)`,
  );
  for (const [outcome, count] of misses) console.log(`  ${count} × ${outcome}`);
  console.log(`faults: ${faults.length}`);
  for (const fault of faults) console.log(`  ${fault.replace(/\s+/g, ' ')}`);
  process.exit(faults.length > 0 || share < LEAST_HITS ? 1 : 0);
}

if (require.main === module) void main();
