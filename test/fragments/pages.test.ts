import { once } from 'node:events';
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  cacheFragment,
  cachePage,
  caches,
  cacheTags,
  fetchFromCache,
  makeTemplateFragmentKey,
  updateCache,
} from 'cachewright';
import express, { type Express } from 'express';
import { stopClock } from '../support/clock';
import { deferred } from '../support/deferred';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches({ pages: { location: 'pages' }, fragments: { location: 'fragments' } });
const clock = stopClock();

/** In a process of its own: what happens to those that come before any fragment. */
test('the first page of all that shows a fragment has its tags', async () => {
  jest.resetModules();
  const fresh: typeof import('cachewright') = require('cachewright');
  let calls = 0;
  const app = express();
  app.use(fresh.updateCache(), fresh.fetchFromCache());
  app.get('/plain', (_req, res) => void res.send(`plain ${++calls}`));
  app.get('/page', async (_req, res) => {
    const run = ++calls;
    res.send(await fresh.cacheFragment(60, 'a', [], () => `page ${run}`, { tags: ['row'] }));
  });
  await visit(app, '/plain').expect('plain 1');
  await visit(app, '/page').expect('page 2');
  await visit(app, '/page').expect('page 2');
  await fresh.caches.default.invalidateTags(['row']);
  await visit(app, '/page').expect('page 3');
  await visit(app, '/plain').expect('plain 1');
  await visit(app, '/page').expect('page 3');
});

test('before that, tags that are given to a page are not those of another', async () => {
  jest.resetModules();
  const fresh: typeof import('cachewright') = require('cachewright');
  const gate = deferred();
  const begun = deferred();
  let calls = 0;
  const app = express();
  app.use(fresh.updateCache(), fresh.fetchFromCache());
  app.get('/slow', async (_req, res) => {
    const call = ++calls;
    begun.resolve();
    await gate.promise;
    res.send(`slow ${call}`);
  });
  app.get('/fast', (_req, res) => {
    fresh.cacheTags(res, 'fast');
    res.send(`fast ${++calls}`);
  });
  const slow = visit(app, '/slow').expect('slow 1').then();
  await begun.promise;
  await visit(app, '/fast').expect('fast 2');
  gate.resolve();
  await slow;
  await fresh.caches.default.invalidateTags(['fast']);
  await visit(app, '/slow').expect('slow 1');
  await visit(app, '/fast').expect('fast 3');
});

test('nor is a page remembered whose client left before it was answered', async () => {
  jest.resetModules();
  const fresh: typeof import('cachewright') = require('cachewright');
  const { currentScope }: typeof import('../../src/cache/render-scope') =
    require('../../src/cache/render-scope');
  const begun = deferred();
  const closed = deferred();
  const app = express();
  app.use(fresh.updateCache(), fresh.fetchFromCache());
  app.get('/', (_req, res) => {
    res.on('close', closed.resolve);
    begun.resolve();
  });
  const server = app.listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const leaving = get({ port, host: '127.0.0.1' }).on('error', () => {});
    await begun.promise;
    expect(currentScope()).toBeDefined();
    leaving.destroy();
    await closed.promise;
    expect(currentScope()).toBeUndefined();
  } finally {
    server.close();
  }
});

/** A page of two fragments, which say how often they were made. */
function site(...args: Parameters<typeof updateCache>): { app: Express; made: () => number[] } {
  const made = { page: 0, nav: 0, row: 0 };
  const app = express();
  app.use(updateCache(...args), fetchFromCache());
  app.get('/', async (_req, res) => {
    made.page++;
    const nav = await cacheFragment(300, 'nav', [], () => `nav ${++made.nav}`, { tags: ['nav'] });
    await new Promise((resolve) => setTimeout(resolve, 1));
    const row = await cacheFragment(100, 'row', [], async () => {
      await null;
      cacheTags('row:7');
      return `row ${++made.row}`;
    });
    res.send(`${nav}, ${row}`);
  });
  return { app, made: () => [made.page, made.nav, made.row] };
}

describe('a page', () => {
  test('has the tags of the fragments that it shows', async () => {
    const { app, made } = site();
    await visit(app, '/').expect('nav 1, row 1');
    await visit(app, '/').expect('nav 1, row 1');
    expect(made()).toEqual([1, 1, 1]);
    await caches.default.invalidateTags(['row:7']);
    await visit(app, '/').expect('nav 1, row 2');
    expect(made()).toEqual([2, 1, 2]);
    await caches.default.invalidateTags(['nav']);
    await visit(app, '/').expect('nav 2, row 2');
    expect(made()).toEqual([3, 2, 2]);
    await visit(app, '/').expect('nav 2, row 2');
    expect(made()).toEqual([3, 2, 2]);
  });

  test('has them where all of its fragments were hits', async () => {
    const { app, made } = site();
    await visit(app, '/?a').expect('nav 1, row 1');
    await visit(app, '/?b').expect('nav 1, row 1');
    expect(made()).toEqual([2, 1, 1]);
    await caches.default.invalidateTags(['row:7']);
    await visit(app, '/?b').expect('nav 1, row 2');
    await visit(app, '/?a').expect('nav 1, row 2');
    expect(made()).toEqual([4, 1, 2]);
  });

  test('has them in a cache of its own', async () => {
    const { app } = site({ cache: 'pages' });
    await visit(app, '/').expect('nav 1, row 1');
    await caches.default.invalidateTags(['row:7']);
    await visit(app, '/').expect('nav 1, row 1');
    await caches.pages!.invalidateTags(['row:7']);
    await visit(app, '/').expect('nav 1, row 2');
  });

  test('has them in each cache that it goes through', async () => {
    let run = 0;
    const app = express();
    app.use(updateCache({ cache: 'pages' }), fetchFromCache());
    app.get('/', cachePage(60), async (_req, res) => {
      res.send(await cacheFragment(60, 'a', [], () => `run ${++run}`, { tags: ['row'] }));
    });
    await visit(app, '/').expect('run 1');
    await caches.default.invalidateTags(['row']);
    await visit(app, '/').expect('run 1');
    await caches.pages!.invalidateTags(['row']);
    await visit(app, '/').expect('run 2');
  });

  test('that was purged softly is refreshed with fragments that were, too', async () => {
    const { app, made } = site();
    await visit(app, '/').expect('nav 1, row 1');
    await caches.default.invalidateTags(['row:7'], { mode: 'soft' });
    await visit(app, '/').expect('nav 1, row 1');
    for (let turn = 0; turn < 500 && made()[2] === 1; turn++) await settled();
    await settled();
    await visit(app, '/').expect('nav 1, row 2');
    expect(made()).toEqual([2, 1, 2]);
  });

  test('whose fragment was made before a purge, and shown after it, is not stored', async () => {
    const gate = deferred();
    let version = 1;
    const app = express();
    app.use(updateCache(), fetchFromCache());
    app.get('/', async (_req, res) => {
      const shown = version;
      const html = await cacheFragment(60, 'a', [], () => `version ${shown}`, { tags: ['row'] });
      if (shown === 1) await gate.promise;
      res.send(html);
    });
    const first = visit(app, '/').expect('version 1').then();
    await settled();
    version = 2;
    await caches.default.invalidateTags(['row']);
    gate.resolve();
    await first;
    await visit(app, '/').expect('version 2');
    await visit(app, '/').expect('version 2');
  });

  test('and its neighbour keep their tags apart', async () => {
    const runs: Record<string, number> = {};
    const gate = deferred();
    const app = express();
    app.use(updateCache(), fetchFromCache());
    app.get('/:name', async (req, res) => {
      const { name } = req.params;
      const run = (runs[name] ?? 0) + 1;
      runs[name] = run;
      if (run === 1) await gate.promise;
      res.send(await cacheFragment(60, name, [], () => `${name} ${run}`, { tags: [name] }));
    });
    const first = Promise.all([visit(app, '/a').expect('a 1'), visit(app, '/b').expect('b 1')]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    gate.resolve();
    await first;
    await caches.default.invalidateTags(['a']);
    await visit(app, '/a').expect('a 2');
    await visit(app, '/b').expect('b 1');
  });

  test('that shows something in place of a fragment that fails has its tags', async () => {
    const app = express();
    app.use(updateCache(), fetchFromCache());
    let run = 0;
    app.get('/', async (_req, res) => {
      const fail = async () => {
        cacheTags('late');
        throw new Error('broken');
      };
      const part = cacheFragment(60, 'a', [], fail, { tags: ['known'] });
      res.send(`${await part.catch((error: Error) => error.message)} ${++run}`);
    });
    await visit(app, '/').expect('broken 1');
    await visit(app, '/').expect('broken 1');
    await caches.default.invalidateTags(['known']);
    await visit(app, '/').expect('broken 2');
    await caches.default.invalidateTags(['late']);
    await visit(app, '/').expect('broken 3');
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
  });
});

test('all pages that show something in place of a fragment that fails have its tags', async () => {
  const gate = deferred();
  const caught: string[] = [];
  const app = express();
  app.use(updateCache(), fetchFromCache());
  let runs = 0;
  app.get('/:page', async (_req, res) => {
    const fail = async () => {
      cacheTags('late');
      caught.push('run');
      await gate.promise;
      throw new Error('broken');
    };
    const run = ++runs;
    const part = cacheFragment(60, 'a', [], fail);
    res.send(`${await part.catch((error: Error) => error.message)} ${run}`);
  });
  const first = visit(app, '/1').expect('broken 1').then();
  await eventually(() => expect(runs).toBe(1));
  const second = visit(app, '/2').expect('broken 2').then();
  await eventually(() => expect(runs).toBe(2));
  await settled();
  gate.resolve();
  await Promise.all([first, second]);
  expect(caught).toEqual(['run']);
  await caches.default.invalidateTags(['late']);
  await visit(app, '/1').expect('broken 3');
  await visit(app, '/2').expect('broken 4');
});

describe('cacheTags() without a response', () => {
  test('gives tags to the page in whose handler it is called', async () => {
    const { app } = pageApp((res, call) => {
      cacheTags('row');
      res.end(`page ${call}`);
    });
    await visit(app, '/').expect('page 1');
    await visit(app, '/').expect('page 1');
    await caches.default.invalidateTags(['row']);
    await visit(app, '/').expect('page 2');
  });

  test('does nothing elsewhere, and takes strings alone', () => {
    expect(cacheTags('row')).toBeUndefined();
    expect(() => cacheTags('row', '')).toThrow('cacheTags() got "". Give strings.');
    expect(() => cacheTags('')).toThrow('cacheTags() got "". Give strings.');
  });

  test('with one, it gives them to the fragment around it as well', async () => {
    let run = 0;
    const app = express();
    app.get('/', async (_req, res) => {
      const render = () => {
        cacheTags(res, 'row');
        return `run ${++run}`;
      };
      res.send(await cacheFragment(60, 'a', [], render));
    });
    await visit(app, '/').expect('run 1');
    await visit(app, '/').expect('run 1');
    await caches.default.invalidateTags(['row']);
    await visit(app, '/').expect('run 2');
  });
});

describe('limitToFragments', () => {
  test('off, a page lives as long as it says', async () => {
    const { app } = site({ seconds: 600 });
    await visit(app, '/').expect('Cache-Control', 'max-age=600');
    clock.advance(599);
    await visit(app, '/').expect('nav 1, row 1');
  });

  test('on, it lives no longer than the first of its fragments', async () => {
    const { app, made } = site({ seconds: 600, limitToFragments: true });
    await visit(app, '/').expect('nav 1, row 1').expect('Cache-Control', 'max-age=100');
    clock.advance(60);
    await visit(app, '/?other').expect('nav 1, row 1').expect('Cache-Control', 'max-age=40');
    clock.advance(39);
    await visit(app, '/').expect('nav 1, row 1');
    expect(made()).toEqual([2, 1, 1]);
    clock.advance(1);
    await visit(app, '/').expect('nav 1, row 2');
    await visit(app, '/?other').expect('nav 1, row 2');
    expect(made()).toEqual([4, 1, 2]);
  });

  test.each([
    ['the timeout of its own', cachePage(600, { limitToFragments: true }), {}],
    [
      'what its headers say',
      cachePage(null, { limitToFragments: true }),
      { 'Cache-Control': 'max-age=600' },
    ],
    [
      'another status',
      cachePage(null, { limitToFragments: true }),
      { 'Cache-Control': 'max-age=600', status: 404 },
    ],
  ])(
    'goes before %s',
    async (_what, cached, { status = 200, ...fields }: Record<string, unknown>) => {
      let run = 0;
      const app = express();
      app.get('/', cached, async (_req, res) => {
        res.set(fields as Record<string, string>).status(status as number);
        res.send(await cacheFragment(10, 'a', [], () => `run ${++run}`));
      });
      await visit(app, '/').expect('run 1');
      clock.advance(9);
      await visit(app, '/').expect('run 1').expect('Age', '9');
      clock.advance(1);
      await visit(app, '/').expect('run 2');
    },
  );

  test('counts fragments that come after the head', async () => {
    let run = 0;
    const app = express();
    app.get('/', cachePage(600, { limitToFragments: true }), async (_req, res) => {
      res.write(`run ${++run}, `);
      res.end(await cacheFragment(10, 'a', [], () => `part ${run}`));
    });
    await visit(app, '/').expect('run 1, part 1');
    clock.advance(9);
    await visit(app, '/').expect('run 1, part 1');
    clock.advance(1);
    await visit(app, '/').expect('run 2, part 2');
  });

  test('does not count fragments within others, nor those without end', async () => {
    const app = express();
    app.use(updateCache({ seconds: 600, limitToFragments: true }), fetchFromCache());
    app.get('/', async (_req, res) => {
      const show = () => cacheFragment(5, 'inner', [], () => 'x');
      res.send(
        (await cacheFragment(200, 'outer', [], show)) +
          (await cacheFragment(null, 'endless', [], () => 'y')),
      );
    });
    await visit(app, '/').expect('xy').expect('Cache-Control', 'max-age=200');
  });

  test('stores no page that shows what is rendered each time', async () => {
    let run = 0;
    const app = express();
    app.use(updateCache({ seconds: 600, limitToFragments: true }), fetchFromCache());
    app.get('/', async (_req, res) => {
      res.send(await cacheFragment(0, 'a', [], () => `run ${++run}`));
    });
    await visit(app, '/').expect('run 1').expect('Cache-Control', 'max-age=0');
    await visit(app, '/').expect('run 2');
  });
});
