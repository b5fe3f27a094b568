import { join } from 'node:path';
import { cacheFragment, caches, makeTemplateFragmentKey } from 'cachewright';
import { ejsEngine } from 'cachewright/ejs';
import ejs from 'ejs';
import express from 'express';
import { freshCaches } from '../../support/fresh-caches';
import { tempDirectories } from '../../support/temp-directory';
import { appRender } from './app-render';
import { describeCorpus } from './corpus';
import { EJS_PAGES } from './ejs-corpus';
import { describeHelperFacts } from './helper-facts';
import { type Views, writeViews } from './views';

const FRAGMENT = `await cache(timeout, name, varyOn, async () => include('fragment', { text: await text() }), options)`;

describeHelperFacts('EJS', {
  views: {
    'page.ejs': `<main><%- ${FRAGMENT} %></main>`,
    'other.ejs': `<aside><%- ${FRAGMENT} %></aside>`,
    'fragment.ejs': '<%= text %>',
  },
  use: (app) => app.engine('ejs', ejsEngine(ejs)).set('view engine', 'ejs'),
  show: (res, page, call) => res.render(page, call),
});

describeCorpus('EJS', EJS_PAGES, {
  withoutCache: (views, { locals }) =>
    ejs.renderFile(
      join(views, 'page.ejs'),
      {
        ...locals,
        rendered: () => {},
        cache: (_timeout: unknown, _name: string, _varyOn: unknown[], render: () => string) =>
          render(),
      },
      { async: true },
    ),
  withCache: (views, { locals }, rendered) => {
    const app = express().set('views', views).engine('ejs', ejsEngine(ejs));
    return appRender(app, 'page.ejs', { ...locals, rendered });
  },
});

describe('ejsEngine()', () => {
  freshCaches({ other: { location: 'other' } });
  const directory = tempDirectories();

  function appOf(views: Views, engine = ejsEngine(ejs)) {
    const folder = directory();
    writeViews(folder, views);
    const app = express().set('views', folder).set('view engine', 'ejs').engine('ejs', engine);
    return { app, folder };
  }

  async function rendered(text: string, locals: object = {}): Promise<string> {
    return appRender(appOf({ 'page.ejs': text }).app, 'page', locals);
  }

  test.each([
    ['a literal', '60'],
    ['a variable', 'seconds'],
    ['an expression', 'Math.round(seconds / 2)'],
  ])('the timeout is %s (FRAG-08)', async (_what, timeout) => {
    const render = jest.fn(() => 'x');
    const page = `<%- await cache(${timeout}, 'a', [], render) %>`;
    for (let i = 0; i < 2; i++) expect(await rendered(page, { render, seconds: 60 })).toBe('x');
    expect(render).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['', 'The name of a fragment is a string, but got undefined.'],
    ['60', 'The name of a fragment is a string, but got undefined.'],
    ["'a'", 'The name of a fragment is a string, but got undefined.'],
    ["missing, 'a', [], () => ''", 'missing is not defined'],
    ["locals.missing, 'a', [], () => ''", 'got the timeout undefined'],
  ])(
    'cache(%s) is an error that names template and line (FRAG-09, FRAG-10)',
    async (args, message) => {
      const page = rendered(`<p>\n<%- await cache(${args}) %>\n</p>`);
      await expect(page).rejects.toThrow(message);
      await expect(page).rejects.toThrow(/page\.ejs:2\n/);
    },
  );

  test('a fragment that is not ended is an error of the template (FRAG-10)', async () => {
    await expect(rendered("<%- await cache(60, 'a', [], () => { %>text")).rejects.toThrow(
      SyntaxError,
    );
  });

  test('the name is a text, whatever variables there are (FRAG-11)', async () => {
    await rendered("<%- await cache(60, 'user', [], () => '') %>", { user: 'ann' });
    expect(await caches.default.hasKey(makeTemplateFragmentKey('user'))).toBe(true);
  });

  test('using is an option (FRAG-13)', async () => {
    await rendered("<%- await cache(60, 'a', [], () => 'x', { using: 'other' }) %>");
    expect(await caches.other!.hasKey(makeTemplateFragmentKey('a'))).toBe(true);
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
  });

  test('has the options of EJS', async () => {
    const { app } = appOf(
      {
        'page.ejs': "<?- await cache(60, 'a', [], () => include('/part')) ?>",
        'parts/part.ejs': '<?= 1 ?>',
      },
      (path, locals, callback) =>
        ejsEngine(ejs, { delimiter: '?', root: join(path, '../parts') })(path, locals, callback),
    );
    expect(await appRender(app, 'page')).toBe('1');
  });

  test('finds includes in the views of Express, one directory or several', async () => {
    const views = {
      'pages/page.ejs': "<%- await include('parts/part') %>",
      'parts/part.ejs': 'part',
    };
    const { app, folder } = appOf(views);
    expect(await appRender(app, 'pages/page')).toBe('part');
    app.set('views', [join(folder, 'none'), folder]);
    expect(await appRender(app, 'pages/page')).toBe('part');
  });

  test('keeps compiled templates only where Express keeps views', async () => {
    const { app, folder } = appOf({ 'page.ejs': 'old' });
    expect(await appRender(app, 'page')).toBe('old');
    writeViews(folder, { 'page.ejs': 'new' });
    expect(await appRender(app, 'page')).toBe('new');
    app.enable('view cache');
    expect(await appRender(app, 'page')).toBe('new');
    writeViews(folder, { 'page.ejs': 'newest' });
    expect(await appRender(app, 'page')).toBe('new');
  });

  test('takes no options of EJS from what a visitor sends', async () => {
    const query = {
      settings: { 'view options': { escapeFunction: 'x;process.exit()' } },
      client: true,
    };
    const { app } = appOf({ 'page.ejs': '<%= 1 %>' });
    expect(await appRender(app, 'page', query)).toBe('1');
  });

  test('without EJS is an error that says what to hand in', () => {
    expect(() => ejsEngine(undefined as never)).toThrow(
      new TypeError('ejsEngine() got no EJS. Pass the package: ejsEngine(ejs).'),
    );
  });
});

test('without Express, the function is a local as any other', async () => {
  const render = () =>
    ejs.render(
      "<%- await cache(60, 'a', [], () => text()) %>",
      { cache: cacheFragment, text },
      { async: true },
    );
  const text = jest.fn(() => '<p>x</p>');
  expect(await render()).toBe('<p>x</p>');
  expect(await render()).toBe('<p>x</p>');
  expect(text).toHaveBeenCalledTimes(1);
});
