import {
  cachePage,
  caches,
  cacheTags,
  cacheView,
  InvalidCacheBackendError,
  makeTemplateFragmentKey,
} from 'cachewright';
import { ejsEngine } from 'cachewright/ejs';
import ejs from 'ejs';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import express4 from 'express4';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
import { tempDirectories } from '../support/temp-directory';
import { type Views, writeViews } from './engines/views';

freshCaches({ other: { location: 'other' } });
const directory = tempDirectories();

function appOf(views: Views, makeApp = express): Express {
  const folder = directory();
  writeViews(folder, views);
  return makeApp().set('views', folder).set('view engine', 'pug');
}

/** What a visitor gets of a handler that sends what `show` comes to. */
async function sent(app: Express, show: (res: Response) => Promise<string>, path = '/') {
  app.get(path, async (_req, res) => void res.send(await show(res)));
  const { text } = await request(app).get(path).expect(200);
  return text;
}

test('the locals are asked for only as the view is rendered', async () => {
  const app = appOf({ 'list.pug': 'each word in words\n  b= word' });
  const locals = jest.fn(async () => ({ words: ['a', '<b>'] }));
  const show = (res: Response) => cacheView(res, 60, 'list', ['de'], locals);
  for (const path of ['/1', '/2']) {
    expect(await sent(app, show, path)).toBe('<b>a</b><b>&lt;b&gt;</b>');
  }
  expect(locals).toHaveBeenCalledTimes(1);
  expect(await sent(app, (res) => cacheView(res, 60, 'list', ['en'], locals), '/3')).toBe(
    '<b>a</b><b>&lt;b&gt;</b>',
  );
  expect(locals).toHaveBeenCalledTimes(2);
});

test('they may be an object, which stays as it is, and left out', async () => {
  const app = appOf({ 'a.pug': 'b= word || "none"' });
  const locals = Object.freeze({ word: 'x' });
  expect(await sent(app, (res) => cacheView(res, 60, 'a', ['x'], locals), '/1')).toBe('<b>x</b>');
  expect(await sent(app, (res) => cacheView(res, 60, 'a'), '/2')).toBe('<b>none</b>');
});

test('the view sees the locals of app and response, as pages do', async () => {
  const app = appOf({ 'a.pug': '= [one, two, three]' });
  app.locals = { ...app.locals, one: 'app', two: 'app', three: 'app' };
  const shown = await sent(app, (res) => {
    Object.assign(res.locals, { two: 'res', three: 'res' });
    return cacheView(res, 60, 'a', [], { three: 'own' });
  });
  expect(shown).toBe('app,res,own');
});

test('the fragment is named as the view, unless a name is given', async () => {
  const app = appOf({ 'parts/side.pug': 'b' });
  await sent(app, (res) => cacheView(res, 60, 'parts/side'), '/1');
  expect(await caches.default.hasKey(makeTemplateFragmentKey('parts/side'))).toBe(true);
  await sent(app, (res) => cacheView(res, 60, 'parts/side', [], {}, { name: 'nav' }), '/2');
  expect(await caches.default.hasKey(makeTemplateFragmentKey('nav'))).toBe(true);
});

test('it has the options of fragments', async () => {
  const app = appOf({ 'a.pug': '= n' });
  const options = { using: 'other', version: 2, tags: ['row'] };
  let n = 0;
  const show = (res: Response) => cacheView(res, 60, 'a', [], () => ({ n: ++n }), options);
  expect(await sent(app, show, '/1')).toBe('1');
  expect(await caches.other!.hasKey(makeTemplateFragmentKey('a'), { version: 2 })).toBe(true);
  expect(await sent(app, show, '/2')).toBe('1');
  await caches.other!.invalidateTags(['row']);
  expect(await sent(app, show, '/3')).toBe('2');
});

test('the views are those of the app that answers', async () => {
  const app = appOf({ 'a.pug': '| outer' });
  const inner = appOf({ 'a.pug': '| inner' });
  inner.get('/', async (_req, res) => void res.send(await cacheView(res, 60, 'a')));
  app.use('/inner', inner);
  expect((await request(app).get('/inner')).text).toBe('inner');
});

test('engines that render asynchronously will do as well', async () => {
  const app = appOf({ 'a.ejs': "<%- await cache(60, 'b', [], async () => word) %>" });
  app.engine('ejs', ejsEngine(ejs));
  expect(await sent(app, (res) => cacheView(res, 60, 'a.ejs', [], { word: 'x' }))).toBe('x');
});

test('fragments that are rendered for its locals are within it', async () => {
  const app = appOf({ 'outer.pug': 'div!= inner', 'inner.pug': 'b= n' });
  let n = 0;
  const inner = async () => {
    cacheTags('row');
    return { n: ++n };
  };
  const show = (res: Response) =>
    cacheView(res, 60, 'outer', [], async () => ({
      inner: await cacheView(res, 60, 'inner', [], inner),
    }));
  expect(await sent(app, show, '/1')).toBe('<div><b>1</b></div>');
  expect(await sent(app, show, '/2')).toBe('<div><b>1</b></div>');
  await caches.default.invalidateTags(['row']);
  expect(await sent(app, show, '/3')).toBe('<div><b>2</b></div>');
});

test('a page that is stored has the tags of its views', async () => {
  const app = appOf({ 'page.pug': 'main!= side', 'side.pug': 'b= n' });
  let n = 0;
  app.get('/', cachePage(60), async (_req, res) => {
    const locals = () => ({ n: ++n });
    res.render('page', { side: await cacheView(res, 60, 'side', [], locals, { tags: ['row'] }) });
  });
  for (let i = 0; i < 2; i++) {
    expect((await request(app).get('/')).text).toBe('<main><b>1</b></main>');
  }
  await caches.default.invalidateTags(['row']);
  expect((await request(app).get('/')).text).toBe('<main><b>2</b></main>');
});

describe('errors', () => {
  const broken = new Error('The database is away.');

  test.each([
    ['Express 5', express, false],
    ['Express 4', express4, true],
  ])('of its locals are those of the page on %s', async (_stack, makeApp, mustForward) => {
    const app = appOf({ 'a.pug': 'b' }, makeApp);
    const errors: unknown[] = [];
    app.get('/', async (_req, res, next) => {
      const show = cacheView(res, 60, 'a', [], () => Promise.reject(broken));
      // Express 4 does not look at what handlers return.
      if (mustForward) show.catch(next);
      else res.send(await show);
    });
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      errors.push(error);
      res.status(500).end();
    });
    await request(app).get('/').expect(500);
    expect(errors).toEqual([broken]);
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
  });

  test.each<[string, string, RegExp]>([
    ['a view that does not exist', 'none', /Failed to lookup view "none"/],
    ['a view that throws', 'throws', /throws\.pug:1[\s\S]*No good/],
    ['a view that cannot be compiled', 'wrong', /wrong\.pug:1/],
    ['an engine that is missing', 'a.missing', /Cannot find module 'missing'/],
  ])('of %s are its own, and nothing is stored', async (_what, view, message) => {
    const app = appOf({
      'throws.pug': '- throw new Error("No good")',
      'wrong.pug': 'a(',
      'a.missing': '',
    });
    const res = { app, locals: {} };
    await expect(cacheView(res, 60, view)).rejects.toThrow(message);
    expect(await caches.default.hasKey(makeTemplateFragmentKey(view))).toBe(false);
  });

  test('an alias that is unknown is one before the locals are asked for (FRAG-14)', async () => {
    const res = { app: appOf({ 'a.pug': 'b' }), locals: {} };
    const locals = jest.fn(() => ({}));
    await expect(cacheView(res, 60, 'a', [], locals, { using: 'nowhere' })).rejects.toThrow(
      InvalidCacheBackendError,
    );
    expect(locals).not.toHaveBeenCalled();
  });
});
