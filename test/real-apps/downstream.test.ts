// Caches that stand behind this one: a real nginx, and a real browser.
import { type Browser, chromium, type Page } from 'playwright-core';
import { describeWithServer, type NetworkServer, startNginx } from '../support/servers';
import { programPath } from '../support/servers/programs';
import { settled } from '../support/settled';
import { enterSession, sessions, userInLocals } from './packages';
import {
  brief,
  closeLater,
  type Handler,
  INSIDE,
  openSite,
  type Place,
  type RowOptions,
  row,
  type Site,
  urlencoded,
  useful,
  useRealApps,
  Visitor,
} from './support';

useRealApps();

const page = (text: string) => `<!doctype html><title>shop</title><p>${text}</p>
<form method="post"><input name="u"><button formaction="/login">Log in</button>
<button formaction="/logout">Log out</button></form>`;

const show: Handler = (_req, res) => page(`Hello ${res.locals.user ?? 'guest'}`);

/** A shop with sessions. */
function openShop(place: Place): Promise<Site> {
  return openSite({
    ...place,
    middleware: [urlencoded(place.framework), sessions(), userInLocals],
    routes: {
      'POST /login': (req, res) => {
        enterSession!(req, res, req.body.u);
        res.redirect(303, '/me');
      },
      'POST /logout': (req, res) =>
        void req.session.destroy(() => res.clearCookie('connect.sid').redirect(303, '/bye')),
      'GET /me': show,
      'GET /other': show,
      'GET /account': (req, res) => show(req, res.set('Cache-Control', 'no-store')),
      'GET /bye': () => page('Goodbye'),
      'GET /about': () => page('about us'),
    },
  });
}

async function openNginx(site: Site): Promise<NetworkServer> {
  const nginx = await startNginx(site.port);
  closeLater(() => nginx.stop());
  return nginx;
}

const HELD: RowOptions = { held: ['app'] };
const HELD_INSIDE: RowOptions = { mounts: INSIDE, held: INSIDE };

describeWithServer('nginx', 'behind the proxy_cache of nginx', () => {
  row('A10 each visitor sees their own pages alone', HELD, async (place) => {
    const site = await openShop(place);
    const nginx = await openNginx(site);
    const [ann, bob] = [new Visitor(nginx), new Visitor(nginx)];
    await ann.post('/login', { u: 'ann' });
    await bob.post('/login', { u: 'bob' });
    const people: [Visitor, string][] = [
      [ann, 'ann'],
      [bob, 'bob'],
      [new Visitor(nginx), 'guest'],
      [new Visitor(nginx, { cookies: { _ga: 'GA1.1' } }), 'guest'],
    ];
    for (const path of ['/me', '/other']) {
      const order = path === '/me' ? people : people.toReversed();
      for (const [who, name] of [...order, ...order]) {
        const answer = await who.get(path);
        expect(`${name}: ${brief(answer)}`).toContain(`Hello ${name}<`);
      }
    }
  });

  row('A10 a page that is the same for all is a hit of nginx', HELD_INSIDE, async (place) => {
    const site = await openShop(place);
    const nginx = await openNginx(site);
    const ann = new Visitor(nginx);
    await ann.post('/login', { u: 'ann' });
    const strangers = [new Visitor(nginx), new Visitor(nginx, { cookies: { _ga: '1' } })];
    const statuses: unknown[] = [];
    for (const who of [...strangers, ann, ...strangers]) {
      const { text, headers } = await who.get('/about');
      expect(text).toBe(page('about us'));
      statuses.push(headers['x-cache-status']);
    }
    useful(() => expect(statuses).toEqual(['MISS', 'HIT', 'HIT', 'HIT', 'HIT']));
    useful(() => expect(site.renders['/about']).toBe(1));
  });
});

/** A browser's tab, by what a user does with it. Each step tells the path and the text then shown. */
class Tab {
  readonly #page: Page;
  readonly #base: string;

  constructor(page: Page, { url }: NetworkServer) {
    this.#page = page;
    this.#base = url;
  }

  async go(path: string): Promise<string> {
    await this.#page.goto(this.#base + path);
    return this.#shown();
  }

  async back(): Promise<string> {
    await this.#page.goBack();
    return this.#shown();
  }

  async reload(): Promise<string> {
    await this.#page.reload();
    return this.#shown();
  }

  /** Sends the form of the page that is shown. */
  async send(action: string, user = ''): Promise<string> {
    await this.#page.fill('input', user);
    await Promise.all([
      this.#page.waitForNavigation(),
      this.#page.click(`[formaction="${action}"]`),
    ]);
    return this.#shown();
  }

  async #shown(): Promise<string> {
    await settled();
    return `${new URL(this.#page.url()).pathname} ${await this.#page.textContent('p')}`;
  }
}

describeWithServer('browser', 'in one browser, behind nginx', () => {
  let browser: Browser;
  beforeAll(async () => {
    const executablePath = programPath('chromium');
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], headless: true });
  });
  afterAll(() => browser?.close());

  row('A10 a logout leaves nothing of the user', HELD, async (place) => {
    const site = await openShop(place);
    const nginx = await openNginx(site);
    const context = await browser.newContext();
    closeLater(() => context.close());
    const tab = new Tab(await context.newPage(), nginx);

    expect(await tab.go('/me')).toBe('/me Hello guest');
    expect(await tab.send('/login', 'ann')).toBe('/me Hello ann');
    for (const path of ['/other', '/me', '/account']) {
      expect(await tab.go(path)).toBe(`${path} Hello ann`);
    }
    expect(await tab.send('/logout')).toBe('/bye Goodbye');

    // The page that the app lets nobody store.
    expect(await tab.back()).toBe('/account Hello guest');
    const before = await tab.back();
    // Chromium shows pages of its history without asking, as it does where there is no cache, unless
    // `Vary` names the cookie that the logout has removed.
    if (place.mount === 'pair' || place.mount === 'before') {
      useful(() => expect(before).toBe('/me Hello guest'));
    }
    expect(await tab.reload()).toBe('/me Hello guest');
    for (const path of ['/other', '/me', '/account']) {
      expect(await tab.go(path)).toBe(`${path} Hello guest`);
    }

    // Somebody else at the same browser.
    expect(await tab.send('/login', 'bob')).toBe('/me Hello bob');
    expect(await tab.back()).toBe('/account Hello bob');
    for (const path of ['/other', '/me']) expect(await tab.go(path)).toBe(`${path} Hello bob`);
  });

  row('A10 a page that is the same for all is asked for once', HELD_INSIDE, async (place) => {
    const site = await openShop(place);
    const nginx = await openNginx(site);
    for (let people = 0; people < 2; people += 1) {
      const context = await browser.newContext();
      closeLater(() => context.close());
      const tab = new Tab(await context.newPage(), nginx);
      for (const path of ['/about', '/me', '/about']) await tab.go(path);
    }
    useful(() => expect(site.renders['/about']).toBe(1));
  });
});
