import { cachePage, createCaches, invalidate } from 'cachewright';
import express from 'express';
import { runScript } from '../support/child';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

test('100 000 cachePage() results that are dropped give their memory back (F6)', async () => {
  const { stdout } = await runScript(
    `
    const { cachePage, LocMemCache } = cachewright;
    const used = () => {
      global.gc();
      return process.memoryUsage().heapUsed;
    };
    const makeMany = (count, makeOptions) => {
      for (let i = 0; i < count; i += 1) cachePage(60, makeOptions(i));
    };
    const kinds = {
      plain: () => ({}),
      alias: () => ({ cache: 'pages', keyPrefix: 'a' }),
      closures: (i) => ({ key: { query: { ignore: ['utm_*'] }, segment: () => 'x'.repeat(1000) + i } }),
      backends: () => ({ cache: new LocMemCache() }),
    };
    (async () => {
      const grown = {};
      for (const [kind, makeOptions] of Object.entries(kinds)) {
        const count = kind === 'backends' ? 2000 : 100_000;
        makeMany(100, makeOptions);
        const before = used();
        makeMany(count, makeOptions);
        for (let i = 0; i < 5; i += 1) {
          await new Promise((resolve) => setTimeout(resolve, 10));
          global.gc();
        }
        grown[kind] = (used() - before) / count;
      }
      console.log(JSON.stringify(grown));
    })();
    `,
    ['--expose-gc'],
  );
  const grown = JSON.parse(stdout);
  expect(Object.keys(grown)).toEqual(['plain', 'alias', 'closures', 'backends']);
  // Bytes for each.
  for (const bytes of Object.values(grown)) expect(bytes).toBeLessThan(20);
});

test('pages of a cachePage() made for each request are purged', async () => {
  const { pages } = createCaches({ default: {}, pages: { location: 'dropped' } });
  for (const cache of [undefined, pages]) {
    let count = 0;
    const app = express();
    app.get('/a', (req, res, next) => cachePage(60, { ...(cache && { cache }) })(req, res, next));
    app.get('/a', (_req, res) => void res.send(`page ${++count}`));
    for (const _visit of [1, 2]) await visit(app, '/a').expect('page 1');
    await invalidate('http://www.example.com/a');
    await visit(app, '/a').expect('page 2');
  }
});

test('pages kept by other rules for the query are purged by their own rules', async () => {
  const rules = [{ ignore: ['x'] }, { only: ['a'] }, undefined];
  const app = express();
  let count = 0;
  for (const [i, query] of rules.entries()) {
    app.get(`/${i}`, cachePage(60, query && { key: { query } }), (_req, res) => {
      count += 1;
      res.send(`page ${count}`);
    });
  }
  const targets = [
    ['/0?x=1&b=2', '/0?x=7&b=2'],
    ['/1?a=1&x=2', '/1?a=1&x=7'],
    ['/2?x=1', '/2?x=1'],
  ] as const;
  for (const [target, purged] of targets) {
    const first = (await visit(app, target)).text;
    await visit(app, target).expect(first);
    await invalidate(`http://www.example.com${purged}`);
    expect((await visit(app, target)).text).not.toBe(first);
  }
});
