import {
  cachePage,
  fetchFromCache,
  invalidate,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import express from 'express';
import request from 'supertest';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import { settled } from '../support/settled';
import { tempDirectories } from '../support/temp-directory';
import { visit } from '../support/visit';

const tempDirectory = tempDirectories();
freshCaches({ files: { backend: 'file', location: tempDirectory() } });

/** A site that tells how often each page was made; writing answers as `X-Answer` tells it to. */
function site(options: PageCacheOptions = {}) {
  const made = new Map<string, number>();
  const app = express();
  app.use(updateCache(options), fetchFromCache());
  app.all(/.*/, (req, res) => {
    if (req.method === 'GET') {
      const count = (made.get(req.path) ?? 0) + 1;
      made.set(req.path, count);
      res.vary('X-Lang').send(`${req.path} ${count} ${req.get('X-Lang') ?? ''}`.trim());
      return;
    }
    const { status = 200, ...fields } = JSON.parse(req.get('X-Answer') ?? '{}');
    res.set(fields).status(status).end();
  });
  const write = (path: string, answer: object = {}, method = 'post') =>
    (request(app) as unknown as Record<string, (path: string) => request.Test>)[method]!(path)
      .set({ Host: 'www.example.com', 'X-Answer': JSON.stringify(answer) })
      .redirects(0);
  return { app, write };
}

describe('a write that succeeds (RFC 9111 §4.4)', () => {
  test.each(['post', 'put', 'patch', 'delete', 'm-search', 'purge', 'lock'])(
    'by %s removes the page of its URL',
    async (method) => {
      const { app, write } = site();
      for (const _visit of [1, 2]) await visit(app, '/a').expect('/a 1');
      await write('/a', {}, method);
      for (const _visit of [1, 2]) await visit(app, '/a').expect('/a 2');
    },
  );

  test.each([200, 201, 204, 303])('with status %i removes it', async (status) => {
    const { app, write } = site();
    await visit(app, '/a').expect('/a 1');
    await write('/a', { status });
    await visit(app, '/a').expect('/a 2');
  });

  test.each([400, 403, 404, 409, 500, 503])('with status %i does not', async (status) => {
    const { app, write } = site();
    await visit(app, '/a').expect('/a 1');
    await write('/a', { status, Location: '/a' });
    await visit(app, '/a').expect('/a 1');
  });

  test.each(['options', 'propfind', 'search'])('is none by %s', async (method) => {
    const { app, write } = site();
    await visit(app, '/a').expect('/a 1');
    await write('/a', {}, method);
    await visit(app, '/a').expect('/a 1');
  });

  test.each(['Location', 'Content-Location'])('removes the page that %s names', async (field) => {
    const { app, write } = site();
    for (const named of ['/b', 'http://www.example.com/b', '//www.example.com/b', 'b']) {
      const { text } = await visit(app, '/b');
      await write('/a', { status: 201, [field]: named });
      const again = await visit(app, '/b');
      expect([named, again.text]).not.toEqual([named, text]);
    }
  });

  test.each(['Location', 'Content-Location'])('leaves those of other sites, %s', async (field) => {
    const { app, write } = site();
    const elsewhere = () => request(app).get('/b').set('Host', 'other.example');
    await elsewhere().expect('/b 1');
    await write('/a', { status: 201, [field]: 'http://other.example/b' });
    await elsewhere().expect('/b 1');
  });

  test('removes all variants, and none of them comes back', async () => {
    const { app, write } = site();
    const lang = (name: string) => visit(app, '/a').set('X-Lang', name);
    await lang('de').expect('/a 1 de');
    await lang('en').expect('/a 2 en');
    await visit(app, '/a').expect('/a 3');
    await write('/a');
    await lang('en').expect('/a 4 en');
    // The list of headers is there again, and with it the way to variants of old.
    await lang('de').expect('/a 5 de');
    await visit(app, '/a').expect('/a 6');
    await lang('de').expect('/a 5 de');
  });

  test('removes the pages of all languages and segments', async () => {
    const { app, write } = site({
      language: (req) => String(req.headers['x-ui'] ?? 'en'),
      key: { segment: (req) => String(req.headers['x-plan'] ?? 'free') },
    });
    const as = (ui: string, plan: string) => visit(app, '/a').set({ 'X-UI': ui, 'X-Plan': plan });
    await as('de', 'free').expect('/a 1');
    await as('en', 'paid').expect('/a 2');
    await write('/a');
    await as('de', 'free').expect('/a 3');
    await as('en', 'paid').expect('/a 4');
  });

  test('removes the page whatever ignored parameters it was written with', async () => {
    const { app, write } = site({ key: { query: { ignore: ['utm_*'] } } });
    await visit(app, '/a?utm_source=x').expect('/a 1');
    await write('/a?utm_source=y');
    await visit(app, '/a').expect('/a 2');
  });

  test('removes what HEAD alone had stored', async () => {
    const { app, write } = site();
    const head = async () => (await visit(app, '/a', 'head')).headers.age;
    await head();
    expect(await head()).toMatch(/^\d+$/);
    await write('/a');
    expect(await head()).toBeUndefined();
  });
});

describe('invalidate(url)', () => {
  test('removes the pages of every page cache of the process', async () => {
    const { app } = site({ keyPrefix: 'site' });
    let made = 0;
    const route = express();
    route.get('/a', cachePage(60, { keyPrefix: 'route' }), (_q, res) => void res.send(`${++made}`));
    await visit(app, '/a').expect('/a 1');
    await visit(route, '/a').expect('1');
    await invalidate('http://www.example.com/a#top');
    await visit(app, '/a').expect('/a 2');
    await visit(route, '/a').expect('2');
    await invalidate('http://www.example.com/other');
    await visit(app, '/a').expect('/a 2');
  });

  test.each(['/a', 'www.example.com/a', '', 'http://'])('refuses %j', async (url) => {
    await expect(invalidate(url)).rejects.toThrow(/absolute URL/);
  });

  test('a page that was being made at the time is not stored', async () => {
    let version = 1;
    let calls = 0;
    const app = express();
    app.use(updateCache(), fetchFromCache());
    let arrived: () => void = () => {};
    let release: () => void = () => {};
    const isThere = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    app.get('/a', async (_req, res) => {
      calls += 1;
      const read = version;
      if (calls === 1) {
        arrived();
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      res.send(`v${read}`);
    });
    const first = visit(app, '/a').then(({ text }) => text);
    await isThere;
    version = 2;
    await invalidate('http://www.example.com/a');
    release();
    expect(await first).toBe('v1');
    await visit(app, '/a').expect('v2');
    await visit(app, '/a').expect('v2');
    expect(calls).toBe(2);
  });

  test.each([
    ['a bare question mark', 'http://www.example.com/a?'],
    ['a fragment', 'http://www.example.com/a#b?c'],
    ['both', 'http://www.example.com/a?#b'],
  ])('takes a URL with %s for the one without', async (_what, url) => {
    const { app } = site();
    await visit(app, '/a').expect('/a 1');
    await invalidate(url);
    await visit(app, '/a').expect('/a 2');
  });

  test('holds for a cache in files, once it is fulfilled', async () => {
    const { app } = site({ cache: 'files' });
    const lang = (name: string) => visit(app, '/a').set('X-Lang', name);
    await lang('de').expect('/a 1 de');
    await invalidate('http://www.example.com/a');
    await lang('de').expect('/a 2 de');
    await lang('en').expect('/a 3 en');
    await invalidate('http://www.example.com/a');
    await lang('en').expect('/a 4 en');
    await lang('de').expect('/a 5 de');
  });

  test('what is still being written does not come back', async () => {
    const bytes = new ByteCache('invalidation-written');
    const set = bytes.set.bind(bytes);
    let write = (): void => {};
    let isHeld = true;
    bytes.set = async (...args: Parameters<typeof set>) => {
      if (isHeld && !args[0].startsWith('cachewright.')) {
        await new Promise<void>((resolve) => {
          write = resolve;
        });
      }
      return set(...args);
    };
    const { app } = site({ cache: bytes });
    await visit(app, '/a').expect('/a 1');
    await settled();
    const invalidated = invalidate('http://www.example.com/a');
    await settled();
    isHeld = false;
    write();
    await invalidated;
    await visit(app, '/a').expect('/a 2');
  });

  test('asks a cache once, however many routes keep their pages there', async () => {
    const bytes = new ByteCache('invalidation-routes');
    const setMany = jest.spyOn(bytes, 'setMany');
    for (let i = 0; i < 50; i++) cachePage(60, { cache: bytes });
    await invalidate('http://www.example.com/only');
    // The URL's counter, and then that of all purges.
    expect(setMany.mock.calls.map(([entries]) => Object.keys(entries))).toEqual([
      [expect.stringMatching(/^cachewright\.tag\.u\./)],
      ['cachewright.tag.purges'],
    ]);
  });

  test('rejects if a backend fails, once the others have done their part', async () => {
    const failing = new ByteCache('invalidation-failing');
    const bytes = new ByteCache('invalidation-sound');
    updateCache({ cache: failing, keyPrefix: 'failing' });
    const { app } = site({ cache: bytes });
    await visit(app, '/a').expect('/a 1');
    await settled();
    const setMany = failing.setMany.bind(failing);
    failing.setMany = async () => {
      throw new Error('connection refused');
    };
    await expect(invalidate('http://www.example.com/a')).rejects.toThrow('connection refused');
    await visit(app, '/a').expect('/a 2');
    failing.setMany = setMany;
  });

  test('a backend that fails as a page is changed is told of, and harms nobody', async () => {
    const failing = new ByteCache('invalidation-told');
    const failures: unknown[] = [];
    const { app } = site({ cache: failing, onError: (error) => failures.push(error) });
    failing.setMany = async () => {
      throw new Error('connection refused');
    };
    try {
      await visit(app, '/a', 'post').expect(200);
      // Told once all caches have done their part, files too.
      while (failures.length === 0) await settled();
      expect(failures).toEqual([expect.objectContaining({ message: 'connection refused' })]);
    } finally {
      failing.setMany = async () => [];
    }
  });
});

describe('cachePage() before all methods of a route', () => {
  const app = express();
  let made = 0;
  app.all('/a', cachePage(60), (req, res) => {
    if (req.method === 'GET') made += 1;
    res.status(Number(req.get('X-Status') ?? 200)).send(`page ${made}`);
  });

  test.each([
    ['POST', 'a write', 200, 2],
    ['POST', 'a write that fails', 409, 1],
    ['OPTIONS', 'a question', 200, 1],
  ])('%s, %s with status %i', async (method, _what, status, wanted) => {
    made = 0;
    await invalidate('http://www.example.com/a');
    await visit(app, '/a').expect('page 1');
    await visit(app, '/a', method.toLowerCase() as 'post').set('X-Status', String(status));
    await settled();
    await visit(app, '/a').expect(`page ${wanted}`);
  });
});
