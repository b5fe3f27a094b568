import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFragment } from 'cachewright';
import express, { type Express } from 'express';
import Handlebars from 'handlebars';
import { freshCaches } from '../../support/fresh-caches';
import { cachedViews, showCachedView } from './cached-views';
import { describeCorpus } from './corpus';
import { HANDLEBARS_PAGES } from './handlebars-corpus';
import { describeHelperFacts } from './helper-facts';

describeHelperFacts('Handlebars', {
  views: {
    'page.hbs': '<main>{{{fragment}}}</main>',
    'other.hbs': '<aside>{{{fragment}}}</aside>',
    'fragment.hbs': '{{text}}',
  },
  use: (app, views) => useHandlebars(app, views),
  show: showCachedView,
});

describeCorpus(
  'Handlebars',
  HANDLEBARS_PAGES,
  cachedViews((views) => useHandlebars(express().set('views', views), views)),
);

describe('without Express', () => {
  freshCaches();

  test('a compiled template is rendered before the page', async () => {
    const sidebar = Handlebars.compile('<p>{{load}}</p>');
    const page = Handlebars.compile('<main>{{{sidebar}}}</main>');
    const load = jest.fn(() => 'a < b');
    const render = async () =>
      page({ sidebar: await cacheFragment(60, 'sidebar', [], () => sidebar({ load })) });
    expect(await render()).toBe('<main><p>a &lt; b</p></main>');
    expect(await render()).toBe('<main><p>a &lt; b</p></main>');
    expect(load).toHaveBeenCalledTimes(1);
  });
});

function useHandlebars(app: Express, views: string): Express {
  const handlebars = Handlebars.create();
  handlebars.registerHelper({
    shout: (text: string) => text.toUpperCase(),
    twice(this: object, { fn }: { fn(context: object): string }) {
      return fn(this) + fn(this);
    },
    jsonOf: (value: unknown) => JSON.stringify(value),
    raw: ({ fn }: { fn(): string }) => fn(),
  });
  const partials = join(views, 'partials');
  for (const file of existsSync(partials) ? readdirSync(partials) : []) {
    handlebars.registerPartial(basename(file, '.hbs'), readFileSync(join(partials, file), 'utf8'));
  }
  app.engine('hbs', (path, locals, callback) => {
    try {
      callback(null, handlebars.compile(readFileSync(path, 'utf8'))(locals));
    } catch (error) {
      callback(error);
    }
  });
  return app.set('view engine', 'hbs');
}
