import { cacheFragment } from 'cachewright';
import express from 'express';
import pug from 'pug';
import { freshCaches } from '../../support/fresh-caches';
import { cachedViews, showCachedView } from './cached-views';
import { describeCorpus } from './corpus';
import { describeHelperFacts } from './helper-facts';
import { PUG_PAGES } from './pug-corpus';

describeHelperFacts('Pug', {
  views: {
    'page.pug': 'main!= fragment',
    'other.pug': 'aside!= fragment',
    'fragment.pug': '= text',
  },
  use: (app) => app.set('view engine', 'pug'),
  show: showCachedView,
});

describeCorpus(
  'Pug',
  PUG_PAGES,
  cachedViews((views) => express().set('views', views).set('view engine', 'pug')),
);

describe('without Express', () => {
  freshCaches();

  test('a compiled template is rendered before the page', async () => {
    const sidebar = pug.compile('p= load()');
    const page = pug.compile('main!= sidebar');
    const load = jest.fn(() => 'a < b');
    const render = async () =>
      page({ sidebar: await cacheFragment(60, 'sidebar', [], () => sidebar({ load })) });
    expect(await render()).toBe('<main><p>a &lt; b</p></main>');
    expect(await render()).toBe('<main><p>a &lt; b</p></main>');
    expect(load).toHaveBeenCalledTimes(1);
  });
});
