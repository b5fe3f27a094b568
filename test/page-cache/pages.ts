import type { IncomingHttpHeaders } from 'node:http';
import {
  type CacheSettings,
  caches,
  configurePageCache,
  getCacheKey,
  invalidate,
} from 'cachewright';
import { stopClock } from '../support/clock';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { UNHURRIED } from '../support/unhurried';
import { visit } from '../support/visit';

const BINARY = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/**
 * What pages are promised on every backend.
 *
 * @param settings - Of the backend; asked for before each test, as servers are started by then.
 */
export function describePages(name: string, settings: () => CacheSettings): void {
  describe(`pages on ${name}`, () => {
    freshCaches({
      get default() {
        return settings();
      },
    });
    const clock = stopClock();
    afterAll(async () => {
      await settled();
      await caches.closeAll();
    });

    /** Waits for what was last sent to be in the store, which takes a file some time. */
    async function stored(path: string, headers: Record<string, string> = {}): Promise<void> {
      const req = {
        url: path,
        headers: { host: 'www.example.com', ...headers },
        socket: {},
      } as never;
      await eventually(async () => {
        await settled();
        const key = await getCacheKey(req);
        if (key === null || !(await caches.default.hasKey(key))) {
          throw new Error(`${path} was not stored.`);
        }
      });
    }

    test('status, headers, cookies and body come back as they were (CONV-10, PAGE-04)', async () => {
      const { app, origin } = pageApp(
        (res) => {
          res.writeHead(200, 'Quite Fine', [
            ['Content-Type', 'application/octet-stream'],
            ['X-Many', 'one'],
            ['X-Many', 'two'],
            ['X-Latin', 'gr\u00fc\u00dfe'],
            ['X-Empty', ''],
            ['Set-Cookie', 'a=1; Path=/'],
            ['Set-Cookie', 'b=2'],
          ] as never);
          res.end(BINARY);
        },
        { options: { storeCookies: true } },
      );
      const miss = await visit(app, '/page');
      await stored('/page');
      clock.advance(7);
      const hit = await visit(app, '/page');
      expect(origin.calls).toBe(1);
      expect(hit.body).toEqual(BINARY);
      expect(hit.status).toBe(200);
      expect(hit.headers['set-cookie']).toEqual(['a=1; Path=/', 'b=2']);
      const { age, ...fields } = hit.headers;
      expect(age).toBe('7');
      expect({ ...fields, connection: miss.headers.connection }).toEqual({
        'content-length': '256',
        ...miss.headers,
        'transfer-encoding': fields['transfer-encoding'],
      });
    });

    test('an empty page is a hit', async () => {
      const { app, origin } = pageApp((res) => res.end());
      await visit(app, '/empty').expect(200, '');
      await stored('/empty');
      await visit(app, '/empty').expect(200, '').expect('Age', '0');
      expect(origin.calls).toBe(1);
    });

    test('a page expires on time (PAGE-19)', async () => {
      const { app } = pageApp(undefined, { options: { seconds: 30 } });
      await visit(app, '/page').expect('page 1');
      await stored('/page');
      clock.advance(29);
      await visit(app, '/page').expect('page 1').expect('Age', '29');
      clock.advance(1);
      await visit(app, '/page').expect('page 2');
    });

    test('variants live side by side (PAGE-38)', async () => {
      const { app, origin } = pageApp((res, _call, req) => {
        res.setHeader('Vary', 'X-Lang');
        res.end(`in ${req.headers['x-lang']}`);
      });
      for (const _visit of [1, 2]) {
        for (const lang of ['de', 'en']) {
          await visit(app, '/variants').set('X-Lang', lang).expect(`in ${lang}`);
          await stored('/variants', { 'x-lang': lang });
        }
      }
      expect(origin.calls).toBe(2);
    });

    test('deleting its key removes a page (PAGE-34)', async () => {
      const { app } = pageApp();
      await visit(app, '/page').expect('page 1');
      await stored('/page');
      const key = await getCacheKey({
        url: '/page',
        headers: { host: 'www.example.com' },
        socket: {},
      } as never);
      expect(await caches.default.delete(key!)).toBe(true);
      await visit(app, '/page').expect('page 2');
    });

    test('an invalidation removes the page in all its segments, and no other', async () => {
      const languages = ['de', 'en', 'fr'];
      const language = (req: { readonly headers: IncomingHttpHeaders }) =>
        String(req.headers['x-language']);
      configurePageCache({ ...UNHURRIED, language });
      const { app } = pageApp((res, call, req) => res.end(`${call} ${language(req)}`));
      const ask = (path: string, wanted: string) => visit(app, path).set('X-Language', wanted);
      for (const [i, wanted] of languages.entries()) {
        await ask('/page', wanted).expect(`${i + 1} ${wanted}`);
        await stored('/page', { 'x-language': wanted });
      }
      await ask('/other', 'de').expect('4 de');
      await stored('/other', { 'x-language': 'de' });
      await invalidate('http://www.example.com/page');
      for (const [i, wanted] of languages.entries()) {
        await ask('/page', wanted).expect(`${i + 5} ${wanted}`);
      }
      await ask('/other', 'de').expect('4 de');
    });

    describe('a purge while a page is made', () => {
      // Each has a directory of its own, as what the one before stored may come late.
      const purges: [string, string, () => Promise<void>][] = [
        ['by a tag known before', '/1', () => caches.default.invalidateTags(['product:7'])],
        ['by a tag given meanwhile', '/2', () => caches.default.invalidateTags(['late tag'])],
        ['by its URL', '/3', () => caches.default.invalidateUrl('http://www.example.com/3/a')],
        ['by a prefix', '/4', () => caches.default.invalidatePrefix('/4/')],
        ['of everything', '/5', () => caches.default.invalidatePrefix('/')],
        ['by clear()', '/6', () => caches.default.clear()],
        ['by invalidate()', '/7', () => invalidate('http://www.example.com/7/a')],
      ];
      test.each(purges)('%s is not lost', async (_how, directory, purge) => {
        let data = 'v1';
        let reads = 0;
        let finish = (): void => {};
        const { app } = pageApp(
          async (res) => {
            const read = data;
            reads += 1;
            if (reads === 2) await new Promise<void>((resolve) => (finish = resolve));
            (res as unknown as { cacheTags(tag: string): void }).cacheTags('late tag');
            res.end(read);
          },
          { options: { tags: () => ['product:7'] } },
        );
        const ask = (page: string) => visit(app, `${directory}/${page}`);
        // Another page, so that all counters are there.
        await ask('b').expect('v1');
        const slow = ask('a').then(({ text }) => text);
        while (reads < 2) await new Promise((resolve) => setTimeout(resolve, 2));
        data = 'v2';
        await purge();
        finish();
        expect(await slow).toBe('v1');
        await settled();
        await ask('a').expect('v2');
        await settled();
        await ask('a').expect('v2');
      });
    });

    test('a purge takes what has its tag, and nothing else', async () => {
      const { app, origin } = pageApp((res, call, req) => {
        const { cacheTags } = res as unknown as { cacheTags(...tags: string[]): void };
        cacheTags.call(res, `of ${req.url}`, 'all of them');
        res.end(`${req.url} ${call}`);
      });
      for (const [i, path] of ['/a/', '/b/', '/a/c'].entries()) {
        await visit(app, path).expect(`${path} ${i + 1}`);
        await stored(path);
      }
      await caches.default.invalidateTags(['of /a/']);
      await visit(app, '/b/').expect('/b/ 2');
      await visit(app, '/a/c').expect('/a/c 3');
      await visit(app, '/a/').expect('/a/ 4');
      await settled();
      await caches.default.invalidatePrefix('/a/');
      await visit(app, '/b/').expect('/b/ 2');
      await visit(app, '/a/c').expect('/a/c 5');
      await visit(app, '/a/').expect('/a/ 6');
      await settled();
      await caches.default.invalidateTags(['all of them']);
      await visit(app, '/b/').expect('/b/ 7');
      expect(origin.calls).toBe(7);
    });

    test('requests that interleave on the one instance get each their own page (CONV-09, ISO-01)', async () => {
      const { app, origin } = pageApp(async (res, _call, req) => {
        await new Promise((resolve) => setImmediate(resolve));
        res.end(`at ${req.url}`);
      });
      const paths = Array.from({ length: 8 }, (_, i) => `/page/${i}`);
      await Promise.all(paths.map((path) => visit(app, path).expect(`at ${path}`)));
      await Promise.all(paths.map((path) => stored(path)));
      expect(caches.all()).toHaveLength(1);
      await Promise.all(
        [...paths, ...paths].map((path) =>
          visit(app, path).expect(`at ${path}`).expect('Age', '0'),
        ),
      );
      expect(origin.calls).toBe(paths.length);
    });

    test('pages are served after closeAll(), by a cache that opens again (CONV-09, SIG-01)', async () => {
      const { app, origin } = pageApp();
      await visit(app, '/page').expect('page 1');
      await stored('/page');
      await caches.closeAll();
      await visit(app, '/page').expect('page 1').expect('Age', '0');
      await visit(app, '/other').expect('page 2');
      expect(origin.calls).toBe(2);
    });
  });
}
