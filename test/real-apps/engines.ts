// Template engines that Express apps use.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Eta } from 'eta';
import { Liquid } from 'liquidjs';
import nunjucks from 'nunjucks';
import type { Loose } from './support';

const EJS: Engine['views'] = {
  me: 'Hello <%= locals.user || "guest" %>',
  same: 'the same for all',
  layout: '<%- include("part") %>, welcome',
  part: 'Hello <%= locals.user || "guest" %>',
};

/** A template engine, and views for it. */
export interface Engine {
  readonly extension: string;
  /** Shows the user; is the same for all; the same, by a file that it includes. */
  readonly views: Readonly<Record<'me' | 'same' | 'layout' | 'part', string>>;
  /** Whether the cache can tell which entries a template uses. */
  readonly seesUse: boolean;
  setup(app: Loose, folder: string): void;
}

export const ENGINES: Record<string, Engine> = {
  'EJS 3': {
    extension: 'ejs',
    views: EJS,
    seesUse: true,
    setup: (app) => app.engine('ejs', (require('ejs3') as Loose).__express),
  },
  'EJS 7': {
    extension: 'ejs',
    views: EJS,
    seesUse: false,
    setup: () => {},
  },
  Pug: {
    extension: 'pug',
    views: {
      me: '| Hello #{user || "guest"}',
      same: '| the same for all',
      layout: 'include part.pug\n|, welcome',
      part: '| Hello #{user || "guest"}',
    },
    seesUse: true,
    setup: () => {},
  },
  Handlebars: {
    extension: 'hbs',
    views: {
      me: 'Hello {{#if user}}{{user}}{{else}}guest{{/if}}',
      same: 'the same for all',
      layout: '{{> part}}, welcome',
      part: 'Hello {{#if user}}{{user}}{{else}}guest{{/if}}',
    },
    seesUse: true,
    setup: (app, folder) => {
      const hbs = (require('hbs') as Loose).create();
      hbs.registerPartial('part', readFileSync(join(folder, 'part.hbs'), 'utf8'));
      app.engine('hbs', hbs.__express);
      app.set('view options', { layout: false });
    },
  },
  Nunjucks: {
    extension: 'njk',
    views: {
      me: 'Hello {{ user or "guest" }}',
      same: 'the same for all',
      layout: '{% include "part.njk" %}, welcome',
      part: 'Hello {{ user or "guest" }}',
    },
    seesUse: false,
    setup: (app, folder) => {
      nunjucks.configure(folder, { express: app, autoescape: true });
    },
  },
  LiquidJS: {
    extension: 'liquid',
    views: {
      me: 'Hello {{ user | default: "guest" }}',
      same: 'the same for all',
      layout: '{% include "part" %}, welcome',
      part: 'Hello {{ user | default: "guest" }}',
    },
    seesUse: true,
    setup: (app, folder) => {
      app.engine('liquid', new Liquid({ root: folder, extname: '.liquid' }).express());
    },
  },
  Eta: {
    extension: 'eta',
    views: {
      me: 'Hello <%= it.user || "guest" %>',
      same: 'the same for all',
      layout: '<%~ include("part", it) %>, welcome',
      part: 'Hello <%= it.user || "guest" %>',
    },
    seesUse: true,
    setup: (app, folder) => {
      const eta = new Eta({ views: folder });
      app.engine('eta', (path: string, data: object, done: Loose) => {
        try {
          done(null, eta.renderString(readFileSync(path, 'utf8'), data));
        } catch (error) {
          done(error);
        }
      });
    },
  },
};

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An app's settings for an engine, with its views in a folder. */
export function viewsOf({ extension, views, setup }: Engine): (app: Loose) => void {
  return (app) => {
    const folder = mkdtempSync(join(tmpdir(), 'cachewright-views-'));
    folders.push(folder);
    for (const [name, text] of Object.entries(views)) {
      writeFileSync(join(folder, `${name}.${extension}`), text);
    }
    app.set('views', folder);
    app.set('view engine', extension);
    setup(app, folder);
  };
}
