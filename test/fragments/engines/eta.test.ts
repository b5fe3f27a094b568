import { join } from 'node:path';
import { cacheFragment, caches, makeTemplateFragmentKey } from 'cachewright';
import { etaEngine } from 'cachewright/eta';
import { Eta, type EtaConfig } from 'eta';
import express from 'express';
import { freshCaches } from '../../support/fresh-caches';
import { settled } from '../../support/settled';
import { tempDirectories } from '../../support/temp-directory';
import { appRender } from './app-render';
import { describeCorpus } from './corpus';
import { ETA_PAGES } from './eta-corpus';
import { describeHelperFacts } from './helper-facts';
import { type Views, writeViews } from './views';

const CALL = 'await it.cache(it.timeout, it.name, it.varyOn, async () =>';

describeHelperFacts('Eta, fragments in files', {
  views: {
    'page.eta': `<main><%~ ${CALL} includeAsync('./fragment', { text: await it.text() }), it.options) %></main>`,
    'other.eta': `<aside><%~ ${CALL} includeAsync('./fragment', { text: await it.text() }), it.options) %></aside>`,
    'fragment.eta': '<%= it.text %>',
  },
  use: (app, views) => app.engine('eta', etaEngine(new Eta({ views }))).set('view engine', 'eta'),
  show: (res, page, call) => res.render(page, call),
});

describeHelperFacts('Eta, fragments in pages', {
  views: {
    'page.eta': `<main><%~ ${CALL} captureAsync(async () => { %><%= await it.text() %><% }), it.options) %></main>`,
    'other.eta': `<aside><%~ ${CALL} captureAsync(async () => { %><%= await it.text() %><% }), it.options) %></aside>`,
  },
  use: (app, views) => app.engine('eta', etaEngine(new Eta({ views }))).set('view engine', 'eta'),
  show: (res, page, call) => res.render(page, call),
});

describeCorpus('Eta', ETA_PAGES, {
  withoutCache: (views, { locals }) =>
    new Eta({ views }).renderAsync('page', {
      ...locals,
      rendered: () => {},
      cache: (_timeout: unknown, _name: string, _varyOn: unknown[], render: () => string) =>
        render(),
    }),
  withCache: (views, { locals }, rendered) => {
    const app = express()
      .set('views', views)
      .engine('eta', etaEngine(new Eta({ views })));
    return appRender(app, 'page.eta', { ...locals, rendered });
  },
});

describe('etaEngine()', () => {
  freshCaches({ other: { location: 'other' } });
  const directory = tempDirectories();

  function appOf(views: Views, config: Partial<EtaConfig> = {}) {
    const folder = directory();
    writeViews(folder, views);
    const engine = etaEngine(new Eta({ views: folder, ...config }));
    const app = express().set('views', folder).set('view engine', 'eta').engine('eta', engine);
    return { app, folder };
  }

  async function rendered(text: string, locals: object = {}, config = {}): Promise<string> {
    return appRender(appOf({ 'page.eta': text }, config).app, 'page', locals);
  }

  test.each([
    ['a literal', '60'],
    ['a variable', 'it.seconds'],
    ['an expression', 'Math.round(it.seconds / 2)'],
  ])('the timeout is %s (FRAG-08)', async (_what, timeout) => {
    const render = jest.fn(() => 'x');
    const page = `<%~ await it.cache(${timeout}, 'a', [], it.render) %>`;
    for (let i = 0; i < 2; i++) expect(await rendered(page, { render, seconds: 60 })).toBe('x');
    expect(render).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['', 'The name of a fragment is a string, but got undefined.'],
    ['60', 'The name of a fragment is a string, but got undefined.'],
    ["missing, 'a', [], () => ''", 'missing is not defined'],
    ["it.missing, 'a', [], () => ''", 'got the timeout undefined'],
  ])(
    'cache(%s) is an error; with debug, it names template and line (FRAG-09, FRAG-10)',
    async (args, message) => {
      const text = `<p>\n<%~ await it.cache(${args}) %>\n</p>`;
      await expect(rendered(text)).rejects.toThrow(message);
      const debugged = rendered(text, {}, { debug: true });
      await expect(debugged).rejects.toThrow(message);
      await expect(debugged).rejects.toThrow(/page\.eta:2\n/);
    },
  );

  test('a fragment that is not ended is an error of the template (FRAG-10)', async () => {
    const text = "<%~ await it.cache(60, 'a', [], () => captureAsync(async () => { %>text";
    await expect(rendered(text)).rejects.toThrow('Bad template syntax');
  });

  test('the name is a text, whatever variables there are (FRAG-11)', async () => {
    await rendered("<%~ await it.cache(60, 'user', [], () => '') %>", { user: 'ann' });
    expect(await caches.default.hasKey(makeTemplateFragmentKey('user'))).toBe(true);
  });

  test('using is an option (FRAG-13)', async () => {
    await rendered("<%~ await it.cache(60, 'a', [], () => 'x', { using: 'other' }) %>");
    expect(await caches.other!.hasKey(makeTemplateFragmentKey('a'))).toBe(true);
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
  });

  test('with useWith, the function is called by its name alone', async () => {
    const text =
      "<%~ await cache(60, 'a', [], () => captureAsync(async () => { %><%= word %><% })) %>";
    expect(await rendered(text, { word: '<x>' }, { useWith: true })).toBe('&lt;x&gt;');
  });

  test('with varName, the function is where the other data are', async () => {
    const text = "<%~ await data.cache(60, 'a', [], () => data.word) %>";
    expect(await rendered(text, { word: 'x' }, { varName: 'data' })).toBe('x');
  });

  test('takes views of any directory within, and any name', async () => {
    const { app } = appOf({
      'deep/er/page.eta': "<%~ await includeAsync('../part') %>",
      'deep/part.eta': 'part',
      '@page.eta': 'at',
    });
    expect(await appRender(app, 'deep/er/page')).toBe('part');
    expect(await appRender(app, '@page')).toBe('at');
  });

  test('shows no view from outside of the views of Eta', async () => {
    const { app, folder } = appOf({ 'page.eta': 'page', 'inner/part.eta': '' }, {});
    app.engine('eta', etaEngine(new Eta({ views: join(folder, 'inner') })));
    await expect(appRender(app, 'page')).rejects.toThrow('is not in the views directory');
  });

  test('keeps compiled templates as Eta is told', async () => {
    const { app, folder } = appOf({ 'page.eta': 'old' }, { cache: true });
    expect(await appRender(app, 'page')).toBe('old');
    writeViews(folder, { 'page.eta': 'new' });
    expect(await appRender(app, 'page')).toBe('old');
  });

  test('renders nothing behind the back of a page, which would be written into', async () => {
    const { app } = appOf({
      'page.eta':
        "a<%~ await it.cache(60, 'f', [], () => captureAsync(async () => { %><% await it.wait() %><%= it.n %><% }), { tags: ['row'] }) %>b<% await it.wait() %>c",
    });
    const page = (n: number) => appRender(app, 'page', { n, wait: settled });
    expect(await page(1)).toBe('a1bc');
    await caches.default.invalidateTags(['row'], { mode: 'soft' });
    expect(await page(2)).toBe('a2bc');
    expect(await page(3)).toBe('a2bc');
  });

  test.each<[string, unknown, string]>([
    [
      'no Eta',
      { views: 'views' },
      'etaEngine() got no Eta. Pass one: etaEngine(new Eta({ views })).',
    ],
    ['nothing', undefined, 'etaEngine() got no Eta. Pass one: etaEngine(new Eta({ views })).'],
    ['no views', new Eta(), 'etaEngine() got an Eta without views. Say where: new Eta({ views }).'],
  ])('with %s is an error that says what to hand in', (_what, eta, message) => {
    expect(() => etaEngine(eta as Eta)).toThrow(new TypeError(message));
  });
});

test('without Express, the function is part of the data', async () => {
  const eta = new Eta();
  const text = jest.fn(() => '<p>x</p>');
  const render = () =>
    eta.renderStringAsync("<%~ await it.cache(60, 'a', [], () => it.text()) %>", {
      cache: cacheFragment,
      text,
    });
  expect(await render()).toBe('<p>x</p>');
  expect(await render()).toBe('<p>x</p>');
  expect(text).toHaveBeenCalledTimes(1);
});
