import type { IncomingHttpHeaders } from 'node:http';
import {
  type CacheSettings,
  caches,
  configurePageCache,
  getCacheKey,
  invalidate,
  learnCacheKey,
  type PageCacheOptions,
} from 'cachewright';
import { stopClock } from '../support/clock';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { UNHURRIED } from '../support/unhurried';
import { visit } from '../support/visit';

const BINARY = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** Where backends differ. */
interface PageHabits {
  /**
   * Whether a page that is deleted by its key while it is made is not stored. A class of the site's
   * own is not told apart from another process that deletes. @defaultValue true
   */
  readonly tellsRemovals?: boolean;
}

/**
 * What pages are promised on every backend.
 *
 * @param settings - Of the backend; asked for before each test, as servers are started by then.
 */
export function describePages(
  name: string,
  settings: () => CacheSettings,
  { tellsRemovals = true }: PageHabits = {},
): void {
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

    if (tellsRemovals) describeRemovals();

    function describeRemovals(): void {
      describe('a page that is deleted by its key while it is made', () => {
        /** A page whose next render waits, once it has read the data, until it is told to end. */
        function slowSite(options: PageCacheOptions = {}, fields: Record<string, string> = {}) {
          const data = { value: 'v1' };
          const renders: { end(): void }[] = [];
          let isSlow = false;
          const { app, origin } = pageApp(
            async (res) => {
              const read = data.value;
              for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
              if (isSlow) await new Promise<void>((end) => renders.push({ end }));
              res.end(read);
            },
            { options },
          );
          const haveBegun = (count: number) =>
            eventually(() => expect(renders).toHaveLength(count));
          const beSlow = () => {
            isSlow = true;
          };
          const endAll = () => {
            isSlow = false;
            for (const render of renders) render.end();
          };
          return { app, origin, data, haveBegun, beSlow, endAll };
        }

        const keyOf = async (path: string, headers: Record<string, string> = {}) => {
          const key = await getCacheKey({
            url: path,
            headers: { host: 'www.example.com', ...headers },
            socket: {},
          } as never);
          if (key === null) throw new Error(`Nothing was learnt of ${path}.`);
          return key;
        };

        /** Until what is stored no more could have been. */
        const atRest = async () => {
          await settled();
          await new Promise((resolve) => setTimeout(resolve, 30));
          await settled();
        };

        const removals: [string, (key: string) => Promise<unknown>][] = [
          ['delete()', (key) => caches.default.delete(key)],
          ['deleteMany()', (key) => caches.default.deleteMany(['other', key])],
        ];
        test.each(removals)(
          '%s: once it has expired, and is rendered anew',
          async (how, remove) => {
            const path = `/gone/${how}`;
            const { app, data, haveBegun, beSlow, endAll } = slowSite({ seconds: 30 });
            await visit(app, path).expect('v1');
            await stored(path);
            const key = await keyOf(path);
            clock.advance(31);
            beSlow();
            const slow = visit(app, path).then(({ text }) => text);
            await haveBegun(1);
            data.value = 'v2';
            await remove(key);
            endAll();
            expect(await slow).toBe('v1');
            await atRest();
            await visit(app, path).expect('v2');
            await stored(path);
            await visit(app, path).expect('v2').expect('Age', '0');
          },
        );

        test('while it is shown stale, and refreshed', async () => {
          const options = { seconds: 30, staleWhileRevalidate: 600 };
          const { app, data, haveBegun, beSlow, endAll } = slowSite(options);
          await visit(app, '/refreshed').expect('v1');
          await stored('/refreshed');
          const key = await keyOf('/refreshed');
          clock.advance(31);
          beSlow();
          await visit(app, '/refreshed').expect('v1').expect('Age', '31');
          await haveBegun(1);
          data.value = 'v2';
          await caches.default.delete(key);
          endAll();
          await atRest();
          await visit(app, '/refreshed').expect('v2');
          await stored('/refreshed');
          await visit(app, '/refreshed').expect('v2').expect('Age', '0');
        });

        test('in a variant whose headers were not known any more as the render began', async () => {
          const { app, data, haveBegun, beSlow, endAll } = slowSite(
            { seconds: 30 },
            { Vary: 'X-Lang' },
          );
          const de = () => visit(app, '/varies').set('X-Lang', 'de');
          await de().expect('v1');
          await stored('/varies', { 'x-lang': 'de' });
          const key = await keyOf('/varies', { 'x-lang': 'de' });
          clock.advance(31);
          beSlow();
          const slow = de().then(({ text }) => text);
          await haveBegun(1);
          data.value = 'v2';
          await caches.default.delete(key);
          endAll();
          expect(await slow).toBe('v1');
          await atRest();
          await de().expect('v2');
          await atRest();
          await de().expect('v2');
        });

        test('by the key that its first request has learnt', async () => {
          const { app, data, haveBegun, beSlow, endAll } = slowSite({}, { Vary: 'X-Lang' });
          beSlow();
          const de = () => visit(app, '/learnt').set('X-Lang', 'de');
          const slow = de().then(({ text }) => text);
          await haveBegun(1);
          const headers = { host: 'www.example.com', 'x-lang': 'de' };
          const learnt = await learnCacheKey(
            { url: '/learnt', headers, socket: {} } as never,
            { getHeader: () => 'X-Lang' } as never,
          );
          data.value = 'v2';
          await caches.default.delete(learnt);
          endAll();
          expect(await slow).toBe('v1');
          await atRest();
          await de().expect('v2');
          await atRest();
          await de().expect('v2');
        });

        test('other variants that are stored stay', async () => {
          const { app, origin } = slowSite({}, { Vary: 'X-Lang' });
          for (const lang of ['de', 'en']) {
            await visit(app, '/kept').set('X-Lang', lang).expect('v1');
            await stored('/kept', { 'x-lang': lang });
          }
          await caches.default.delete(await keyOf('/kept', { 'x-lang': 'de' }));
          await visit(app, '/kept').set('X-Lang', 'en').expect('v1').expect('Age', '0');
          expect(origin.calls).toBe(2);
        });

        test('a HEAD that confirms it does not bring it back', async () => {
          const { app, data, haveBegun, beSlow, endAll } = slowSite(
            { seconds: 30, keepStale: 600 },
            { ETag: '"v1"' },
          );
          data.value = '';
          await visit(app, '/head').expect('');
          await stored('/head');
          const key = await keyOf('/head');
          clock.advance(31);
          beSlow();
          const slow = visit(app, '/head', 'head').then(({ status }) => status);
          await haveBegun(1);
          await caches.default.delete(key);
          data.value = 'v2';
          endAll();
          expect(await slow).toBe(200);
          await atRest();
          await visit(app, '/head').expect('v2');
        });
      });
    }

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
