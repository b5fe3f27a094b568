import {
  cache,
  fetchFromCache,
  getCacheKey,
  learnCacheKey,
  type PageKeyRules,
  updateCache,
} from 'cachewright';
import express from 'express';
import express4 from 'express4';
import fc from 'fast-check';
import { targetRule } from '../../src/page-cache/query-rules';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('on %s', (_name, makeApp) => {
  /** A site that shows what its handler sees of the request. */
  function site(
    key: PageKeyRules,
    respond?: (req: express.Request, res: express.Response) => void,
  ) {
    let calls = 0;
    const app = makeApp();
    app.use(updateCache({ key }), fetchFromCache());
    app.get('/page', (req, res) => {
      calls += 1;
      if (respond !== undefined) respond(req, res);
      else res.json({ url: req.url, originalUrl: req.originalUrl, query: req.query });
    });
    return { app, calls: () => calls };
  }

  test('ignored parameters make no other page, and no handler sees them', async () => {
    const { app, calls } = site({ query: { ignore: ['utm_*', 'gclid'] } });
    const first = await visit(app, '/page?utm_source=a&id=1&gclid=x');
    expect(first.body).toEqual({
      url: '/page?id=1',
      originalUrl: '/page?id=1',
      query: { id: '1' },
    });
    for (const query of ['id=1', 'id=1&utm_campaign=b', 'utm%5Fsource=c&id=1', '&id=1&gclid']) {
      const { body } = await visit(app, `/page?${query.replace(/^&/, '')}`);
      expect(body).toEqual(first.body);
    }
    expect(calls()).toBe(1);
    await visit(app, '/page?id=2');
    await visit(app, '/page?xutm_source=1&id=1');
    expect(calls()).toBe(3);
  });

  test('tracking parameters make no other page, and no handler sees them (C5)', async () => {
    const { app, calls } = site({ query: { ignore: 'tracking' } });
    const tracked = [
      ...['utm_source=a&utm_medium=b', 'utm_anything=1', 'gclid=x', 'fbclid=x', 'msclkid=x'],
      ...['dclid=x', 'gbraid=x', 'wbraid=x', 'mc_cid=x&mc_eid=y', '_hsenc=x&_hsmi=y', 'yclid=x'],
      ...['igshid=x', 'ttclid=x', 'twclid=x', 'li_fat_id=x', 'utm%5Fsource=x', 'gclid'],
    ];
    const { body } = await visit(app, '/page?id=1');
    for (const query of tracked) {
      expect((await visit(app, `/page?${query}&id=1`)).body).toEqual(body);
      expect((await visit(app, `/page?id=1&${query}`)).body).toEqual(body);
    }
    expect(calls()).toBe(1);
    for (const query of [
      'id=2',
      'utm=1&id=1',
      'xgclid=1&id=1',
      'GCLID=1&id=1',
      'tracking=1&id=1',
    ]) {
      await visit(app, `/page?${query}`);
    }
    expect(calls()).toBe(6);
  });

  test('of parameters that are the only ones, all others are ignored', async () => {
    const { app, calls } = site({ query: { only: ['id'] } });
    const first = await visit(app, '/page?id=1&callback=evil');
    expect(first.body.query).toEqual({ id: '1' });
    expect((await visit(app, '/page?x=1&id=1')).body).toEqual(first.body);
    expect((await visit(app, '/page?x=1')).body.url).toBe('/page');
    expect(calls()).toBe(2);
  });

  test('sorted parameters make one page of every order, but for those of one name', async () => {
    const { app, calls } = site({ query: { sort: true } });
    const first = await visit(app, '/page?b=1&a=2&b=0');
    expect(first.body.url).toBe('/page?a=2&b=1&b=0');
    await visit(app, '/page?a=2&b=1&b=0');
    await visit(app, '/page?b=1&b=0&a=2');
    expect(calls()).toBe(1);
    await visit(app, '/page?a=2&b=0&b=1');
    expect(calls()).toBe(2);
  });

  test('cookies that do not count make no other page, and no handler sees them', async () => {
    const { app, calls } = site({ cookies: ['lang'] }, (req, res) => {
      res.vary('Cookie').send(`with ${req.headers.cookie}`);
    });
    const from = (cookie: string) => visit(app, '/page').set('Cookie', cookie);
    await from('lang=de; _ga=1').expect('with lang=de');
    await from('_ga=2; lang=de').expect('with lang=de');
    expect(calls()).toBe(1);
    await from('lang=en').expect('with lang=en');
    await from('_ga=3').expect('with undefined');
    await visit(app, '/page').expect('with undefined');
    expect(calls()).toBe(3);
  });

  test('parsed cookies that do not count are hidden, and a session counts by its fields (PAGE-59)', async () => {
    let calls = 0;
    const app = makeApp();
    app.use(updateCache({ key: { cookies: ['lang'] } }));
    app.use((req, _res, next) => {
      const [, lang] = /lang=(\w+)/.exec(req.headers.cookie ?? '') ?? [];
      const [, sid] = /sid=(\w+)/.exec(req.headers.cookie ?? '') ?? [];
      const session = sid === undefined ? {} : { user: `user ${sid}`, seenAt: Math.random() };
      Object.assign(req, { cookies: { lang, sid: sid && 'secret' }, session });
      next();
    });
    app.use(fetchFromCache());
    app.get('/cookies', (req, res) => void res.json([++calls, req.cookies]));
    app.get('/sid', (req, res) => void res.json([++calls, req.cookies.sid ?? 'none']));
    app.get('/session', (req, res) => {
      calls += 1;
      res.send(`${calls} ${(req as unknown as { session: { user?: string } }).session.user}`);
    });
    const as = (path: string, cookie: string) => visit(app, path).set('Cookie', cookie);
    for (const cookie of ['lang=de; sid=1', 'lang=de; sid=2', 'lang=de']) {
      expect((await as('/cookies', cookie)).body).toEqual([1, { lang: 'de' }]);
      expect((await as('/sid', cookie)).body[1]).toBe('none');
    }
    expect(calls).toBe(2);
    expect((await as('/cookies', 'lang=en; sid=1')).body).toEqual([3, { lang: 'en' }]);
    for (const _visit of [1, 2]) {
      await as('/session', 'sid=1').expect('4 user 1').expect('Cache-Control', 'private, no-cache');
      await as('/session', 'sid=2').expect('5 user 2').expect('Cache-Control', 'private, no-cache');
      await as('/session', 'lang=de').expect('6 undefined');
    }
  });

  test('segments have pages of their own', async () => {
    const { app, calls } = site({ segment: (req) => String(req.headers['x-plan'] ?? 'free') });
    for (const plan of ['free', 'paid', 'free', 'paid', 'a.b']) {
      await visit(app, '/page').set('X-Plan', plan);
    }
    expect(calls()).toBe(3);
  });
});

test.each([
  [{ query: { ignore: 'utm_*' } }, /ignore/],
  [{ query: { only: 'id' } }, /only/],
  [{ cookies: 'sid' }, /cookies/],
  [{ hosts: 'example.com' }, /hosts/],
  [{ segment: 'paid' }, /segment/],
])('%j is refused when the middleware is made', (key, message) => {
  expect(() => updateCache({ key: key as never })).toThrow(message);
});

test('an asterisk stands for any characters, wherever and however often it does', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), text, (parts, name) => {
      const escaped = parts.map((part) => part.replaceAll('.', '\\.'));
      const isIgnored = new RegExp(`^${escaped.join('.*')}$`).test(name);
      const rule = targetRule({ ignore: [parts.join('*')] })!;
      expect(rule(`/?${name}=1`)).toBe(isIgnored ? '/' : `/?${name}=1`);
    }),
    { numRuns: 1000 },
  );
});

test('a long name is looked through once for each part of a pattern', () => {
  const indexOf = jest.spyOn(String.prototype, 'indexOf');
  const regexes = jest.spyOn(RegExp.prototype, 'exec');
  try {
    const target = `/?a${'bc'.repeat(100)}=1`;
    expect(targetRule({ ignore: ['a*b*c*e*d'] })!(target)).toBe(target);
    expect(regexes).not.toHaveBeenCalled();
    expect(indexOf.mock.calls.filter(([part]) => /^[bce]$/.test(part)).length).toBeLessThan(4);
  } finally {
    indexOf.mockRestore();
    regexes.mockRestore();
  }
});

test('getCacheKey() and learnCacheKey() go by the same rules', async () => {
  const key = { query: { ignore: ['utm_*'] }, cookies: ['theme'] };
  const keys: (string | null)[] = [];
  const app = express();
  app.use(async (req, _res, next) => {
    keys.push(await getCacheKey(req, { key }));
    next();
  });
  app.use(updateCache({ key }), fetchFromCache());
  app.get('/page', async (req, res) => {
    res.vary('Cookie');
    keys.push(await learnCacheKey(req, res, { key }));
    res.end('page');
  });
  await visit(app, '/page?utm_source=a&id=1').set('Cookie', 'theme=dark; _ga=1');
  await visit(app, '/page?id=1&utm_source=b').set('Cookie', '_ga=2; theme=dark');
  const [before, learnt, after, ...others] = keys;
  expect(others).toEqual([]);
  expect([before, typeof learnt]).toEqual([null, 'string']);
  expect(after).toBe(learnt);
  await cache.delete(after!);
  await visit(app, '/page?id=1').set('Cookie', 'theme=dark');
  // Asked, and learnt again.
  expect(keys).toHaveLength(5);
});
