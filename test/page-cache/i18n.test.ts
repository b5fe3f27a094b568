import type { IncomingMessage, ServerResponse } from 'node:http';
import { cachePage, configurePageCache, getCacheKey, learnCacheKey } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();

interface Localised extends IncomingMessage {
  languageCode?: string;
}

/** A request for `/`, as locale middleware leaves it. */
function requestIn(languageCode: string, headers: Record<string, string> = {}): IncomingMessage {
  const request = { url: '/', headers: { host: 'www.example.com', ...headers }, socket: {} };
  return Object.assign(request, { languageCode }) as unknown as IncomingMessage;
}

/** A response that varies on `vary`. */
function varyingOn(vary?: string): ServerResponse {
  return { getHeader: () => vary } as unknown as ServerResponse;
}

const language = (req: unknown) => (req as Localised).languageCode ?? 'en';

/** What nine browsers send. */
const ACCEPT_LANGUAGES = [
  'en-us',
  'en-us,de-de;q=0.5',
  'de',
  'de-de,de;q=0.9,en;q=0.1',
  '*',
  '*;q=0.5, ko;q=0.1',
  'ko, en;q=0.9',
  '',
  'zh-hans-cn',
];
const VARIES = [
  'Accept-Language, Cookie, Accept-Encoding',
  'accept-language, Cookie, Accept-Encoding',
  'Cookie, Accept-Language, Accept-Encoding',
  'Cookie, Accept-Encoding, ACCEPT-LANGUAGE',
  'Accept-Encoding, Accept-Language , Cookie',
];

describe('with a language', () => {
  test('keys end in it (PAGE-46)', async () => {
    const key = await learnCacheKey(requestIn('es'), varyingOn(), { language });
    expect(key).toMatch(/\.d41d8cd98f00b204e9800998ecf8427e\.es$/);
    expect(await getCacheKey(requestIn('es'), { language })).toBe(key);
    expect(await getCacheKey(requestIn('en'), { language })).toBeNull();
    const variant = await learnCacheKey(requestIn('es', { 'x-a': '1' }), varyingOn('X-A'), {
      language,
    });
    expect(variant).toMatch(/\.[0-9a-f]{32}\.es$/);
    expect(variant).not.toBe(key);
  });

  test('versions live side by side (PAGE-46)', async () => {
    const { app, origin } = pageApp(
      (res, _call, req) => res.end(language(req) === 'es' ? 'Hola' : 'Hello'),
      {
        options: { language },
        between: [
          (req, _res, next) => {
            (req as Localised).languageCode = req.headers['accept-language'];
            next();
          },
        ],
      },
    );
    for (const _visit of [1, 2]) {
      await visit(app, '/page').set('Accept-Language', 'en').expect('Hello');
      await visit(app, '/page').set('Accept-Language', 'es').expect('Hola');
    }
    expect(origin.calls).toBe(2);
  });

  test('Accept-Language leaves the vary list (PAGE-47)', async () => {
    const cookies = { cookie: 'a=1', 'accept-encoding': 'gzip' };
    const without = await learnCacheKey(
      requestIn('en', cookies),
      varyingOn('Cookie, Accept-Encoding'),
      { language },
    );
    for (const value of ACCEPT_LANGUAGES) {
      const req = requestIn('en', { ...cookies, 'accept-language': value });
      for (const vary of VARIES) {
        expect(await learnCacheKey(req, varyingOn(vary), { language })).toBe(without);
        expect(await getCacheKey(req, { language })).toBe(without);
      }
    }
  });

  test('a page that varies on Accept-Language has one entry a language (PAGE-47)', async () => {
    const { app, origin } = pageApp(
      (res, call) => {
        res.setHeader('Vary', 'Accept-Language');
        res.end(`page ${call}`);
      },
      {
        options: {
          language: (req) => (/^es/.test(req.headers['accept-language'] ?? '') ? 'es' : 'en'),
        },
      },
    );
    await visit(app, '/page').set('Accept-Language', 'es').expect('page 1');
    await visit(app, '/page').set('Accept-Language', 'es-mx,es;q=0.8').expect('page 1');
    const { headers } = await visit(app, '/page').set('Accept-Language', 'en').expect('page 2');
    // Caches further down do not know the language.
    expect(headers.vary).toBe('Accept-Language');
    await visit(app, '/page').set('Accept-Language', 'fr').expect('page 2');
    expect(origin.calls).toBe(2);
  });

  test('one that holds a space or a line end is fit for any backend (PAGE-46)', async () => {
    const key = await learnCacheKey(requestIn('de at\n\u00e9'), varyingOn(), { language });
    expect(key).toMatch(/^[\x21-\x7e]+$/);
    expect(await learnCacheKey(requestIn('de%20%at'), varyingOn(), { language })).not.toBe(
      await learnCacheKey(requestIn('de at'), varyingOn(), { language }),
    );
  });

  test('works for cachePage() too (PAGE-46)', async () => {
    const origin = makeOrigin((res, _call, req) => res.end(req.headers['x-lang']));
    const app = cachePage(60, { language: (req) => String(req.headers['x-lang']) })(
      origin.handle,
    ) as never;
    for (const _visit of [1, 2]) {
      for (const lang of ['de', 'de-at', 'de.at', 'de%2eat']) {
        await visit(app, '/page').set('X-Lang', lang).expect(lang);
      }
    }
    expect(origin.calls).toBe(4);
  });
});

describe('without a language', () => {
  test('Accept-Language counts as any header, and no language is in the key (PAGE-47)', async () => {
    const keys = new Set<string>();
    for (const value of ACCEPT_LANGUAGES) {
      const req = requestIn('es', { 'accept-language': value });
      const key = await learnCacheKey(req, varyingOn('Accept-Language'));
      expect(key).toMatch(/\.[0-9a-f]{32}$/);
      keys.add(key);
    }
    expect(keys.size).toBe(ACCEPT_LANGUAGES.length);
  });
});

describe('with a time zone', () => {
  const timeZone = (req: unknown) => String((req as IncomingMessage).headers['x-zone']);
  const requestFrom = (zone: string) => requestIn('en', { 'x-zone': zone });

  test('keys end in its name (PAGE-48)', async () => {
    const key = await learnCacheKey(requestFrom('Europe/Berlin'), varyingOn(), { timeZone });
    expect(key).toMatch(/\.d41d8cd98f00b204e9800998ecf8427e\.Europe\/Berlin$/);
    expect(await getCacheKey(requestFrom('Europe/Berlin'), { timeZone })).toBe(key);
    expect(await getCacheKey(requestFrom('Etc/GMT+5'), { timeZone })).toBeNull();
  });

  test('and a language, keys end in both (PAGE-48)', async () => {
    const options = { language, timeZone };
    const key = await learnCacheKey(requestFrom('Etc/GMT-5'), varyingOn(), options);
    expect(key).toMatch(/\.en\.Etc\/GMT-5$/);
  });

  test('a name that holds a space or a dot is fit for any backend (PAGE-48)', async () => {
    const key = await learnCacheKey(requestFrom('Mitte l.europa\u00e4isch'), varyingOn(), {
      timeZone,
    });
    expect(key).toMatch(/\.[\w%]+$/);
    expect(key).not.toMatch(/[\s\u0080-\uffff]/);
  });

  test('without one, the key holds none (PAGE-48)', async () => {
    const key = await learnCacheKey(requestFrom('Europe/Berlin'), varyingOn());
    expect(key).toMatch(/\.d41d8cd98f00b204e9800998ecf8427e$/);
  });

  test('pages of two zones live side by side (PAGE-48)', async () => {
    configurePageCache({ timeZone });
    const { app, origin } = pageApp((res, _call, req) => res.end(timeZone(req)));
    for (const _visit of [1, 2]) {
      await visit(app, '/page').set('X-Zone', 'Asia/Tokyo').expect('Asia/Tokyo');
      await visit(app, '/page').set('X-Zone', 'UTC').expect('UTC');
    }
    expect(origin.calls).toBe(2);
  });
});
