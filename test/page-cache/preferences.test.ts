import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import {
  cache,
  cachePage,
  configurePageCache,
  fetchFromCache,
  getCacheKey,
  learnCacheKey,
  updateCache,
  varyOnHeaders,
} from 'cachewright';
import compression from 'compression';
import express from 'express';
import fc from 'fast-check';
import { preferredLanguage } from '../../src/http/preferred-language';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1, serveHttp2 } from '../support/http-client';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack, type Listener, STACKS, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

const LANGUAGES = ['en', 'de', 'pt-BR'];
const key = { normalize: { languages: LANGUAGES, encodings: ['br', 'gzip'] } };
const TEXT = 'Twelve sentences that say the same. '.repeat(100);

const speaking = (app: Listener, languages: string | undefined) =>
  languages === undefined
    ? visit(app, '/page')
    : visit(app, '/page').set('Accept-Language', languages);

describeEachStack((build) => {
  /** Answers with the language that it is asked for. */
  const speak: Step = (req, res) => {
    calls += 1;
    res.end(`in ${req.headers['accept-language']}`);
  };
  let calls = 0;
  beforeEach(() => {
    calls = 0;
  });

  test.each<[string, () => Listener]>([
    ['the pair', () => build([updateCache({ key }), fetchFromCache(), speak])],
    ['cachePage()', () => build([cachePage(60, { key }), speak])],
    ['cachePage() around a handler', () => build([cachePage(60, { key })(speak)])],
  ])('the language that a request prefers is what %s goes by', async (_what, make) => {
    const app = make();
    for (const german of ['de', 'fr, de-AT;q=0.9, en;q=0.1', 'en;q=0.3,DE ; q=0.5', 'de,*;q=0']) {
      await speaking(app, german).expect('in de');
    }
    expect(calls).toBe(1);
    for (const english of ['en-GB', '*', 'en, de']) await speaking(app, english).expect('in en');
    expect(calls).toBe(2);
    await speaking(app, 'pt').expect('in pt-BR');
    expect(calls).toBe(3);
    // All who understand none of them, and those who do not say, are alike.
    for (const other of ['fr', '', 'en;q=0, de;q=0', undefined]) {
      await speaking(app, other).expect('in undefined');
    }
    expect(calls).toBe(4);
  });

  test('configured for all, it holds for middleware without options', async () => {
    configurePageCache({ key });
    const app = build([updateCache(), fetchFromCache(), speak]);
    await speaking(app, 'de').expect('in de');
    await speaking(app, 'fr, de;q=0.2').expect('in de');
    expect(calls).toBe(1);
  });
});

test('requests get one page exactly if what counts is the same', async () => {
  const { app, origin } = pageApp(
    (res, _call, req) => res.end(`in ${req.headers['accept-language']}`),
    { options: { key, maxVariants: 100 } },
  );
  const range = fc.constantFrom('en', 'EN-us', 'de', 'de-AT', 'pt', 'fr', '*');
  const member = fc
    .tuple(range, fc.constantFrom('', ';q=0', ';q=0.5', '; q=0.9'))
    .map((m) => m.join(''));
  const seen = new Set<string | undefined>();
  await fc.assert(
    fc.asyncProperty(fc.array(member, { maxLength: 4 }), async (members) => {
      const value = members.join();
      const counting = preferredLanguage(value, LANGUAGES);
      seen.add(counting);
      await speaking(app, value).expect(`in ${counting}`);
      expect(origin.calls).toBe(seen.size);
    }),
    { numRuns: 100 },
  );
  expect(seen.size).toBe(4);
});

/** What the body of an answer is once it is decoded as the answer says. */
async function decoded(
  site: Awaited<ReturnType<typeof serveHttp1>>,
  encodings: string | undefined,
): Promise<readonly [encoding: string | undefined, text: string]> {
  const headers: Record<string, string> =
    encodings === undefined ? {} : { 'Accept-Encoding': encodings };
  const { lines, body } = await site.get('/page', { Host: 'www.example.com', ...headers });
  const encoding = lines.find((line) => /^content-encoding:/i.test(line))?.split(': ')[1];
  const decode = { br: brotliDecompressSync, deflate: inflateSync, gzip: gunzipSync }[
    encoding ?? ''
  ];
  return [encoding, (decode === undefined ? body : decode(body)).toString()];
}

const ENCODINGS: readonly (readonly [sent: string | undefined, encoding: string | undefined])[] = [
  ['gzip', 'gzip'],
  ['gzip, deflate, br, zstd', 'br'],
  ['deflate, gzip;q=0.2', 'gzip'],
  [undefined, undefined],
  ['br;q=0, gzip', 'gzip'],
  ['deflate', undefined],
  ['gzip;q=0, br;q=0, *', undefined],
  ['*', 'br'],
  ['br', 'br'],
  ['identity', undefined],
];

function isAccepted(sent: string, encoding: string): boolean {
  if (encoding === '') return true;
  if (sent.includes(`${encoding};q=0,`)) return false;
  return new RegExp(`(^|, )(${encoding}|\\*)(, |;q=0\\.|$)`).test(sent);
}

describe('with compression(), every client gets what it can decode', () => {
  const answer: express.RequestHandler = (_req, res) => void res.type('text').send(TEXT);
  const places: Record<string, (app: express.Express) => void> = {
    'between the halves': (app) =>
      app.use(updateCache({ key }), compression(), fetchFromCache(), answer),
    'between halves with options of their own': (app) =>
      app.use(updateCache({ key }), compression(), fetchFromCache({ key }), answer),
    'within the pair': (app) =>
      app.use(updateCache({ key }), fetchFromCache(), compression(), answer),
    'before the pair': (app) =>
      app.use(compression(), updateCache({ key }), fetchFromCache(), answer),
    'before cachePage()': (app) => app.use(compression(), cachePage(60, { key }), answer),
    'after cachePage()': (app) => app.use(cachePage(60, { key }), compression(), answer),
  };

  test.each(Object.entries(places))('%s', async (_where, mount) => {
    const app = express();
    mount(app);
    const site = await serveHttp1(app);
    try {
      for (const round of [ENCODINGS, [...ENCODINGS].reverse(), ENCODINGS]) {
        for (const [sent, encoding] of round) {
          if (sent !== 'gzip;q=0, br;q=0, *') {
            expect([sent, await decoded(site, sent)]).toEqual([sent, [encoding, TEXT]]);
          } else {
            // Which of the rest it is given is not ours to say, but not what it refuses.
            expect(['br', 'gzip']).not.toContain((await decoded(site, sent))[0]);
          }
        }
      }
    } finally {
      await site.close();
    }
  });

  test('where the inner half alone has lists, which come too late', async () => {
    const app = express();
    app.use(updateCache(), compression(), fetchFromCache({ key }), answer);
    const site = await serveHttp1(app);
    try {
      for (const round of [ENCODINGS, [...ENCODINGS].reverse()]) {
        for (const [sent = ''] of round) {
          const [encoding = '', text] = await decoded(site, sent);
          expect(text).toBe(TEXT);
          expect([sent, isAccepted(sent, encoding)]).toEqual([sent, true]);
        }
      }
    } finally {
      await site.close();
    }
  });

  test('and all of them four pages', async () => {
    let calls = 0;
    const app = express();
    app.use(updateCache({ key }), compression(), fetchFromCache(), (_req, res) => {
      calls += 1;
      res.type('text').send(TEXT);
    });
    const site = await serveHttp1(app);
    try {
      for (const [sent] of ENCODINGS) await decoded(site, sent);
      // br and gzip, gzip, br, none.
      expect(calls).toBe(4);
    } finally {
      await site.close();
    }
  });
});

describe('middleware that goes by the whole header', () => {
  /** Chooses a language as the request comes in, from more than the cache was told of. */
  const choose =
    (announce: (res: Parameters<Step>[1]) => void): Step =>
    (req, res, next) => {
      const value = req.headers['accept-language'] ?? '';
      Object.assign(res, { locals: { language: /^fr/.test(value) ? 'fr' : value } });
      announce(res);
      next();
    };
  const speak: Step = (_req, res) =>
    res.end(`in ${(res as unknown as { locals: { language: string } }).locals.language}`);
  const says = (res: Parameters<Step>[1]) => void res.setHeader('Vary', 'accept-language');

  test('is not shown it between the halves', async () => {
    const { app } = pageApp((res, _call, req) => speak(req, res, () => {}), {
      options: { key },
      between: [choose(says)],
    });
    await speaking(app, 'fr, en;q=0.5').expect('in en');
    await speaking(app, 'en').expect('in en');
  });

  test.each<[string, (app: express.Express) => void]>([
    ['cachePage()', (app) => app.use(choose(says), cachePage(60, { key }), speak)],
    ['the pair', (app) => app.use(choose(says), updateCache({ key }), fetchFromCache(), speak)],
    [
      'a fetchFromCache() that alone has lists',
      (app) => app.use(updateCache(), choose(says), fetchFromCache({ key }), speak),
    ],
    [
      'the same, where it says so at the end',
      (app) =>
        app.use(
          updateCache(),
          varyOnHeaders('Accept-Language'),
          choose(() => {}),
          fetchFromCache({ key }),
          speak,
        ),
    ],
  ])('and says so before %s has a page for each value', async (_what, mount) => {
    const app = express();
    mount(app);
    for (const _round of [1, 2]) {
      await speaking(app, 'fr, en;q=0.5').expect('in fr');
      await speaking(app, 'en').expect('in en');
      await speaking(app, 'en, de;q=0.5').expect('in en, de;q=0.5');
    }
  });
});

test('a page that is made anew behind the scenes is asked for in the same language', async () => {
  const { app, origin } = pageApp(
    (res, call, req) => res.end(`${call} in ${req.headers['accept-language']}`),
    { options: { key, seconds: 10, staleWhileRevalidate: 60 } },
  );
  const site = await serveHttp1(app);
  const german = async () =>
    (
      await site.get('/page', { Host: 'www.example.com', 'Accept-Language': 'fr, de;q=0.5' })
    ).body.toString();
  try {
    expect(await german()).toBe('1 in de');
    clock.advance(11);
    expect(await german()).toBe('1 in de');
    await settled();
    expect(await german()).toBe('2 in de');
    expect(origin.calls).toBe(2);
  } finally {
    await site.close();
  }
});

test('holds over HTTP/2', async () => {
  const site = await serveHttp2(
    STACKS['node:http']!([
      updateCache({ key }),
      fetchFromCache(),
      (req, res) => res.end(`in ${req.headers['accept-language']}`),
    ]),
  );
  const ask = async (languages: string) =>
    (await site.get('/page', { 'accept-language': languages })).body.toString();
  try {
    expect(await ask('fr, de;q=0.5')).toBe('in de');
    expect(await ask('de-AT')).toBe('in de');
  } finally {
    await site.close();
  }
});

test('one list does not imply the other, nor `true`', async () => {
  const { app, origin } = pageApp(
    (res, _call, { headers }) => {
      res.setHeader('Vary', 'X-List');
      res.end(`${headers['accept-language']} ${headers['accept-encoding']}`);
    },
    { options: { key: { normalize: { languages: ['de'] } } } },
  );
  const ask = (list: string, encodings: string) =>
    visit(app, '/page').set({
      'Accept-Language': 'fr, de;q=0.5',
      'Accept-Encoding': encodings,
      'X-List': list,
    });
  await ask('a,b', 'gzip;q=0.3, zstd').expect('de gzip;q=0.3, zstd');
  await ask('a,b', 'zstd, gzip;q=0.3').expect('de gzip;q=0.3, zstd');
  expect(origin.calls).toBe(1);
  await ask('a, b', 'gzip;q=0.3, zstd');
  await ask('a,b', 'gzip;q=0.4, zstd');
  expect(origin.calls).toBe(3);
});

test('requests of other methods are shown as they came', async () => {
  const { app } = pageApp((res, _call, req) => res.end(`${req.headers['accept-language']}`), {
    options: { key },
  });
  await visit(app, '/page', 'post').set('Accept-Language', 'fr, de').expect('fr, de');
});

test('getCacheKey() and learnCacheKey() go by what counts', async () => {
  const keys: (string | null)[] = [];
  const app = express();
  app.use(async (req, _res, next) => {
    keys.push(await getCacheKey(req, { key }));
    next();
  });
  app.use((req, res, next) => {
    if (req.url === '/own') res.vary('Accept-Language');
    next();
  });
  app.use(updateCache({ key }), fetchFromCache());
  app.use(async (req, res) => {
    res.vary('Accept-Language');
    keys.push(await learnCacheKey(req, res, { key }), await getCacheKey(req, { key }));
    res.end('page');
  });
  await speaking(app, 'fr, de;q=0.5');
  await speaking(app, 'de');
  const [before, learnt, known, after, ...others] = keys;
  expect(others).toEqual([]);
  expect([before, typeof learnt]).toEqual([null, 'string']);
  expect([known, after]).toEqual([learnt, learnt]);
  expect(await cache.delete(after!)).toBe(true);
  // A value that is keyed as it was sent has the key of its page, too.
  await visit(app, '/own').set('Accept-Language', 'fr, de;q=0.5');
  expect(await cache.delete(keys.at(-1)!)).toBe(true);
});

test.each<[normalize: unknown, message: RegExp]>([
  ['de', /normalize.*got de\. Give true, false, or \{ languages, encodings \}/],
  [null, /normalize.*got null/],
  [{ languages: 'de' }, /languages got de\. Give an array/],
  [{ languages: ['de', '*'] }, /languages got de,\*/],
  [{ languages: ['de;q=1'] }, /languages/],
  [{ languages: [7] }, /languages/],
  [{ encodings: 'gzip' }, /encodings got gzip/],
  [{ encodings: ['gzip', 'identity'] }, /'identity' is there always/],
  [{ encodings: ['*'] }, /encodings/],
  [{ encodings: ['gzip, br'] }, /encodings/],
])('%j is refused when the middleware is made', (normalize, message) => {
  expect(() => updateCache({ key: { normalize: normalize as never } })).toThrow(TypeError);
  expect(() => updateCache({ key: { normalize: normalize as never } })).toThrow(message);
});

test.each([true, false, {}, { languages: [], encodings: [] }])('%j is accepted', (normalize) => {
  expect(() => cachePage(60, { key: { normalize } })).not.toThrow();
});
