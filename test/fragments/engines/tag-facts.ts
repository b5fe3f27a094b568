import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  caches,
  cacheTags,
  configureCaches,
  type FragmentOutcomeMessage,
  makeTemplateFragmentKey,
} from 'cachewright';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import request from 'supertest';
import { stopClock } from '../../support/clock';
import { deferred } from '../../support/deferred';
import { eventually } from '../../support/eventually';
import { freshCaches } from '../../support/fresh-caches';
import { MapCache } from '../../support/map-cache';
import { tempDirectories } from '../../support/temp-directory';
import { type Views, writeViews } from './views';

/** A tag, by the expressions in it. */
export interface TagSource {
  readonly timeout?: string;
  /** The name itself. */
  readonly name?: string;
  readonly varyOn?: readonly string[];
  readonly tags?: string;
  readonly version?: string;
  readonly using?: string;
}

/** An engine that has the tag, whose views are in a directory. */
export interface TaggedViews {
  render(view: string, locals: object): Promise<string>;
  use(app: Express): void;
}

/** An engine that has a tag for fragments. */
export interface TagEngine {
  readonly extension: string;
  open(views: string): TaggedViews;
  tag(source: TagSource, body: string): string;
  /** Shows what the function `local` returns, or fulfils. */
  call(local: string): string;
  /** Goes through `rows`, as `row`. */
  loop(body: string): string;
  include(view: string): string;
  /** An expression for `local`, as a whole number. */
  filtered(local: string): string;
  /** Tags that are wrong as they stand, and what their errors say. */
  readonly misspelt: readonly (readonly [source: string, error: string])[];
  /** What an error says of its place. */
  placed(view: string, line: number): RegExp;
}

type Locals = Record<string, unknown>;

/** What holds of fragments in each engine that has a tag for them. */
export function describeTagFacts(name: string, engine: TagEngine): void {
  const { extension, tag, call } = engine;
  const directory = tempDirectories();

  describe.each(['alone', 'on Express 5'])(`fragments of ${name} %s`, (stack) => {
    freshCaches({ other: { location: 'other' } });
    const clock = stopClock();
    let folder: string;
    let render: (view: string, locals: Locals) => Promise<string>;
    const outcomes: FragmentOutcomeMessage[] = [];
    const onOutcome = (message: unknown) => void outcomes.push(message as FragmentOutcomeMessage);

    beforeEach(() => {
      folder = directory();
      outcomes.length = 0;
      subscribe('cachewright:fragment', onOutcome);
      const views = engine.open(folder);
      render = stack === 'alone' ? views.render : onExpress(views, folder, extension);
    });
    afterEach(() => {
      unsubscribe('cachewright:fragment', onOutcome);
    });

    function write(views: Views): void {
      const files = Object.entries(views).map(([view, text]) => [`${view}.${extension}`, text]);
      writeViews(folder, Object.fromEntries(files));
    }

    /** Renders a page of its own for each tag, so that none is kept compiled. */
    let pages = 0;
    function shown(source: TagSource, body: string, locals: Locals = {}): Promise<string> {
      return page(tag({ timeout: '60', name: 'a', ...source }, body), locals);
    }
    function page(text: string, locals: Locals = {}): Promise<string> {
      pages++;
      write({ [`page${pages}`]: text });
      return render(`page${pages}`, locals);
    }

    const errorOf = (rendering: Promise<string>): Promise<Error> =>
      rendering.then(
        (html) => Promise.reject(new Error(`It came out as ${html}`)),
        (error) => error,
      );

    test.each<[string, string[], string]>([
      ['a.fragment', [], 'd41d8cd98f00b204e9800998ecf8427e'],
      ['foo', ['"abc"'], '493e283d571a73056196f1a68efd0f66'],
      ['bar', ['"abc"', 'def'], '17c1a507a0cb58384f4c639067a93520'],
    ])('%s, varied on %j, has the key of Django (FRAG-01, FRAG-02)', async (name, varyOn, hash) => {
      await shown({ name, varyOn }, 'x', { def: 'def' });
      expect(outcomes.map(({ key }) => key)).toEqual([`template.cache.${name}.${hash}`]);
      expect(await caches.default.hasKey(`template.cache.${name}.${hash}`)).toBe(true);
    });

    test.each<[string, string[], string]>([
      ['spam', ['"abc:def%"'], '06c8ae8e8c430b69fb0a6443504153dc'],
      ['foo', ['1', '2', 'three', '4', '5'], '7ae8fd2e0d25d651c683bdeebdb29461'],
      ['foo', ['"42º"', '"😀"'], '7ced1c94e543668590ba39b3c08b0237'],
      ['foo', ['long'], '3670b349b5124aa56bdb50678b02b23a'],
    ])('odd and long values are hashed as in Django (FRAG-03): %s', async (name, varyOn, hash) => {
      await shown({ name, varyOn }, 'x', { three: 3, long: 'x'.repeat(10_000) });
      expect(await caches.default.hasKey(`template.cache.${name}.${hash}`)).toBe(true);
    });

    test('1 is "1", and a colon is not told apart (FRAG-04)', async () => {
      await shown({ varyOn: ['1'] }, 'one');
      expect(await shown({ varyOn: ['"1"'] }, 'x')).toBe('one');
      await shown({ varyOn: ['"x"', '"y"'] }, 'two');
      expect(await shown({ varyOn: ['"x:y"'] }, 'x')).toBe('two');
    });

    test('it is rendered once, and shown in other templates as well (FRAG-05)', async () => {
      const text = jest.fn(() => 'made');
      write({
        one: `<p>${tag({ timeout: '60', name: 'a' }, call('text'))}</p>`,
        two: `<b>${tag({ timeout: '60', name: 'a' }, `other ${call('text')}`)}</b>`,
      });
      expect(await render('one', { text })).toBe('<p>made</p>');
      expect(await render('one', { text })).toBe('<p>made</p>');
      expect(await render('two', { text })).toBe('<b>made</b>');
      expect(text).toHaveBeenCalledTimes(1);
      expect(outcomes.map(({ isHit }) => isHit)).toEqual([false, true, true]);
      clock.advance(60);
      await render('one', { text });
      expect(text).toHaveBeenCalledTimes(2);
    });

    test('other values make others, and what is missing is an empty text (FRAG-06)', async () => {
      const values = ['x', 'x y', 'ü'.repeat(5000), ''];
      for (const [i, value] of values.entries())
        await shown({ varyOn: ['value'] }, `${i}`, { value });
      const texts: string[] = [];
      for (const value of values) texts.push(await shown({ varyOn: ['value'] }, 'x', { value }));
      expect(texts).toEqual(['0', '1', '2', '3']);
      expect(await shown({ varyOn: ['missing'] }, 'x')).toBe('3');
      expect(await shown({ varyOn: ['missing.at.all'] }, 'x')).toBe('3');
      expect(await shown({}, 'none')).toBe('none');
    });

    test('an empty one is a hit (FRAG-07)', async () => {
      const text = jest.fn(() => '');
      expect(await shown({}, call('text'), { text })).toBe('');
      expect(await shown({}, call('text'), { text })).toBe('');
      expect(text).toHaveBeenCalledTimes(1);
    });

    test.each<[string, unknown, number]>([
      ['10', undefined, 10],
      ['"10"', undefined, 10],
      ['1.9', undefined, 1],
      ['ttl', 10, 10],
      ['ttl', '10', 10],
      ['ttl', 1.9, 1],
      ['settings.ttl', 10, 10],
      [engine.filtered('ttl'), '10', 10],
    ])('a timeout of %s, which is %j, is %i seconds (FRAG-08)', async (timeout, ttl, seconds) => {
      const text = jest.fn(() => 'x');
      const show = () => shown({ timeout }, call('text'), { text, ttl, settings: { ttl } });
      await show();
      clock.advance(seconds - 0.001);
      await show();
      expect(text).toHaveBeenCalledTimes(1);
      clock.advance(0.001);
      await show();
      expect(text).toHaveBeenCalledTimes(2);
    });

    test('null is for ever, and 0 or less renders each time (FRAG-08)', async () => {
      await shown({ timeout: 'forever' }, 'kept', { forever: null });
      clock.advance(100 * 365 * 24 * 3600);
      expect(await shown({ timeout: 'null' }, 'x')).toBe('kept');
      const text = jest.fn(() => 'x');
      for (const timeout of ['0', '-1', '"0"'])
        await shown({ name: 'b', timeout }, call('text'), { text });
      expect(text).toHaveBeenCalledTimes(3);
    });

    test.each<[string, string]>([
      ['unknown', 'undefined'],
      ['"foo"', "'foo'"],
      ['list', '[ 1 ]'],
    ])('a timeout of %s is an error as it is rendered (FRAG-09)', async (timeout, shownAs) => {
      const text = jest.fn(() => 'x');
      const source = tag({ timeout, name: 'a' }, call('text'));
      const { message } = await errorOf(page(`\n\n${source}`, { text, list: [1] }));
      expect(message).toContain(
        `Fragment "a" got the timeout ${shownAs}. Give seconds, or null for no expiry.`,
      );
      expect(message).toMatch(engine.placed(`page${pages}`, 3));
      expect(text).not.toHaveBeenCalled();
      // Not before it is.
      expect(await page(`${condition(source)}fine`, { rows: [] })).toBe('fine');
    });

    test.each(engine.misspelt)(
      '%s is an error as it is parsed (FRAG-10, FRAG-11, FRAG-13)',
      async (source, error) => {
        const before = jest.fn();
        const { message } = await errorOf(page(`${call('before')}\n\n${source}`, { before }));
        expect(message).toContain(error);
        expect(message).toMatch(engine.placed(`page${pages}`, 3));
        expect(before).not.toHaveBeenCalled();
      },
    );

    test('the name is no variable (FRAG-11)', async () => {
      await shown({ name: 'title' }, 'x', { title: 'other' });
      expect(await caches.default.hasKey(makeTemplateFragmentKey('title'))).toBe(true);
    });

    test('it is kept in the alias template_fragments if there is one, else in default (FRAG-12)', async () => {
      const key = makeTemplateFragmentKey('a');
      await shown({}, 'x');
      expect(await caches.default.hasKey(key)).toBe(true);
      const own = configureCaches({ default: {}, template_fragments: { location: 'fragments' } });
      await Promise.all([own.default.clear(), own.template_fragments.clear()]);
      await shown({}, 'x');
      expect(await own.template_fragments.hasKey(key)).toBe(true);
      expect(await own.default.hasKey(key)).toBe(false);
    });

    test.each(['"default"', 'where'])('or in the alias that %s names (FRAG-13)', async (using) => {
      const key = makeTemplateFragmentKey('a', ['x']);
      const own = configureCaches({ default: {}, template_fragments: { location: 'fragments' } });
      await Promise.all([own.default.clear(), own.template_fragments.clear()]);
      await shown({ varyOn: ['"x"'], using }, 'x', { where: 'default' });
      expect(await own.default.hasKey(key)).toBe(true);
      expect(await own.template_fragments.hasKey(key)).toBe(false);
    });

    test.each([
      ['"nowhere"', 'Cache alias "nowhere" is not configured. Known aliases: "default", "other".'],
      ['missing', 'using is undefined. Give the alias of a cache.'],
    ])('the unknown alias %s is an error as it is rendered (FRAG-14)', async (using, error) => {
      const text = jest.fn(() => 'x');
      const source = `\n${tag({ timeout: '60', name: 'a', using }, call('text'))}`;
      const { message } = await errorOf(page(source, { text }));
      expect(message).toContain(error);
      expect(message).toMatch(engine.placed(`page${pages}`, 2));
      expect(text).not.toHaveBeenCalled();
      expect(await page(`${condition(source)}fine`, { rows: [] })).toBe('fine');
    });

    test('it is deleted by its key (FRAG-15)', async () => {
      await shown({ name: 'sidebar', varyOn: ['user'] }, 'old', { user: 'ann' });
      const key = makeTemplateFragmentKey('sidebar', ['ann']);
      expect(await caches.default.delete(key)).toBe(true);
      expect(await shown({ name: 'sidebar', varyOn: ['user'] }, 'new', { user: 'ann' })).toBe(
        'new',
      );
    });

    test('it varies on the language if that is named, and not by itself (FRAG-16)', async () => {
      const inLanguage = (language: string, varyOn: string[]) =>
        shown({ varyOn }, language, { language });
      expect(await inLanguage('de', [])).toBe('de');
      expect(await inLanguage('en', [])).toBe('de');
      expect(await inLanguage('en', ['language'])).toBe('en');
      expect(await inLanguage('de', ['language'])).toBe('de');
    });

    test('of pages that show it at the same time, one renders it (FRAG-17)', async () => {
      const { promise, resolve } = deferred<string>();
      const text = jest.fn(() => promise);
      const aside = jest.fn(() => '-');
      const source = `${call('aside')}${tag({ timeout: '60', name: 'a' }, call('text'))}.`;
      const all = Promise.all([1, 2, 3, 4, 5].map(() => page(source, { text, aside })));
      await eventually(() => expect(aside).toHaveBeenCalledTimes(5));
      resolve('x');
      expect(await all).toEqual(Array(5).fill('-x.'));
      expect(text).toHaveBeenCalledTimes(1);
    });

    test('one that throws is not stored, and its error is that of the page (FRAG-17)', async () => {
      const text = jest.fn(() => Promise.reject(new Error('The database is away.')));
      const source = `\n\n${tag({ timeout: '60', name: 'a' }, call('text'))}`;
      const { message } = await errorOf(page(source, { text }));
      expect(message).toContain('The database is away.');
      expect(message).toMatch(engine.placed(`page${pages}`, 3));
      expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
      await errorOf(page(source, { text }));
      expect(text).toHaveBeenCalledTimes(2);
      expect(await shown({}, 'back')).toBe('back');
    });

    test('those who wait for one that throws get its error, once each (FRAG-17)', async () => {
      const { promise, reject } = deferred<string>();
      const aside = jest.fn(() => '-');
      const source = `${call('aside')}${tag({ timeout: '60', name: 'a' }, call('text'))}`;
      const text = () => promise;
      const all = Promise.all([1, 2, 3].map(() => errorOf(page(source, { text, aside }))));
      await eventually(() => expect(aside).toHaveBeenCalledTimes(3));
      reject(new Error('The database is away.'));
      for (const { message } of await all) {
        expect(message.split('The database is away.')).toHaveLength(2);
        expect(message.split(`.${extension}`)).toHaveLength(2);
      }
    });

    test('what throws behind it is an error of the page, too', async () => {
      const source = `${tag({ timeout: '60', name: 'a' }, 'x')}\n\n${call('text')}`;
      const text = () => Promise.reject(new Error('The database is away.'));
      for (const _ of ['miss', 'hit']) {
        expect((await errorOf(page(source, { text }))).message).toContain('The database is away.');
      }
      expect(await shown({}, 'y')).toBe('x');
    });

    test('its tags are those that it is given, a list or one, and those given within', async () => {
      const text = jest.fn(() => {
        cacheTags('within');
        return 'x';
      });
      for (const [i, tags] of ['given', '"one"'].entries()) {
        const show = () =>
          shown({ name: `a${i}`, tags }, call('text'), { text, given: ['one', 'two'] });
        text.mockClear();
        await show();
        await show();
        expect(text).toHaveBeenCalledTimes(1);
        await caches.default.invalidateTags(['two']);
        await show();
        expect(text).toHaveBeenCalledTimes(i === 0 ? 2 : 1);
        for (const purged of ['one', 'within']) {
          text.mockClear();
          await caches.default.invalidateTags([purged]);
          await show();
          expect(text).toHaveBeenCalledTimes(1);
        }
      }
    });

    test('tags that are none are an error as it is rendered', async () => {
      const { message } = await errorOf(shown({ tags: 'missing' }, 'x'));
      expect(message).toContain('tags is undefined. Give a tag, or a list of tags.');
    });

    test('versions are apart', async () => {
      await shown({ version: '2' }, 'two');
      expect(await shown({}, 'one')).toBe('one');
      expect(await shown({ version: 'two' }, 'x', { two: 2 })).toBe('two');
      expect((await errorOf(shown({ version: 'missing' }, 'x'))).message).toContain(
        'version is undefined. Give a number or a string.',
      );
    });

    test('what comes behind one within is of the one around it, on a miss and on a hit', async () => {
      const tagging = (name: string) =>
        jest.fn(() => {
          cacheTags(name);
          return name;
        });
      const locals = {
        inner: tagging('inner'),
        behind: tagging('behind'),
        outside: tagging('outside'),
      };
      const inner = tag({ timeout: '600', name: 'inner' }, call('inner'));
      const outer = tag({ timeout: '600', name: 'outer' }, `${inner},${call('behind')}`);
      const show = () => page(`${outer},${call('outside')}`, locals);
      const runs = () => [locals.inner, locals.behind].map(({ mock }) => mock.calls.length);
      for (let i = 0; i < 2; i++) expect(await show()).toBe('inner,behind,outside');
      expect(runs()).toEqual([1, 1]);
      await caches.default.invalidateTags(['outside']);
      await show();
      expect(runs()).toEqual([1, 1]);
      await caches.default.invalidateTags(['behind']);
      await show();
      expect(runs()).toEqual([1, 2]);
      // The inner one was a hit as the outer one was rendered last.
      await caches.default.invalidateTags(['inner']);
      await show();
      expect(runs()).toEqual([2, 3]);
    });

    test('after a soft purge it is rendered as part of the page, and not behind its back', async () => {
      let runs = 0;
      const text = () => `run ${++runs}`;
      const show = () => shown({ tags: '"row"' }, call('text'), { text });
      await show();
      await caches.default.invalidateTags(['row'], { mode: 'soft' });
      expect(await show()).toBe('run 2');
      expect(await show()).toBe('run 2');
    });

    test('each round of a loop has its own', async () => {
      const source = engine.loop(
        tag({ timeout: '60', name: 'row', varyOn: ['row.id'] }, call('row.text')),
      );
      const rows = [1, 2, 1, 3].map((id) => ({ id, text: jest.fn(() => `<${id}>`) }));
      expect(await page(`(${source})`, { rows })).toMatch(/^\((<1>|&lt;1&gt;).*3.*\)$/);
      expect(await page(`(${source})`, { rows })).toMatch(/1.*2.*1.*3/);
      expect(rows.map(({ text }) => text.mock.calls.length)).toEqual([1, 1, 0, 1]);
    });

    test('included templates have theirs, in conditions as well', async () => {
      const text = jest.fn(() => 'x');
      write({ part: `[${tag({ timeout: '60', name: 'part' }, call('text'))}]` });
      const part = engine.include(`part.${extension}`);
      const source = `${part}${condition(part)}.`;
      expect(await page(source, { text, rows: [1] })).toBe('[x][x].');
      expect(await page(source, { text, rows: [1] })).toBe('[x][x].');
      expect(text).toHaveBeenCalledTimes(1);
    });

    test('it is kept by caches that answer later', async () => {
      configureCaches({ default: { backend: MapCache, location: `${name} ${stack}` } });
      const text = jest.fn(() => 'x');
      for (const _ of ['miss', 'hit']) expect(await shown({}, call('text'), { text })).toBe('x');
      expect(text).toHaveBeenCalledTimes(1);
    });
  });
}

/** Shows `source` if there are `rows`. */
function condition(source: string): string {
  return `{% if rows[0] %}${source}{% endif %}`;
}

function onExpress(
  views: TaggedViews,
  folder: string,
  extension: string,
): (view: string, locals: Locals) => Promise<string> {
  const app = express();
  app.set('views', folder);
  app.set('view engine', extension);
  views.use(app);
  const asked: Locals[] = [];
  const failed = new Map<number, Error[]>();
  app.get('/:view/:index', (req: Request, res: Response) => {
    res.render(String(req.params.view), asked[Number(req.params.index)]);
  });
  app.use((error: Error, req: Request, res: Response, _next: NextFunction) => {
    const index = Number(req.path.split('/').at(-1));
    failed.set(index, [...(failed.get(index) ?? []), error]);
    res.status(500).end();
  });
  return async (view, locals) => {
    const index = asked.push(locals) - 1;
    const { status, text } = await request(app).get(`/${view}/${index}`);
    if (status === 200) return text;
    const errors = failed.get(index) ?? [];
    expect(errors).toHaveLength(1);
    throw errors[0]!;
  };
}
