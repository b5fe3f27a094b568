import {
  cacheFragment,
  caches,
  configureCaches,
  type FragmentOptions,
  InvalidCacheBackendError,
  makeTemplateFragmentKey,
} from 'cachewright';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import express4 from 'express4';
import request, { type Test } from 'supertest';
import { stopClock } from '../../support/clock';
import { deferred } from '../../support/deferred';
import { eventually } from '../../support/eventually';
import { freshCaches } from '../../support/fresh-caches';
import { tempDirectories } from '../../support/temp-directory';
import { type Views, writeViews } from './views';

/** A fragment that is shown in a page. */
export interface FragmentCall {
  readonly timeout: number | string | null;
  readonly name: string;
  readonly varyOn: Iterable<unknown> | undefined;
  /** What it shows, escaped, with nothing around it; asked for as it is rendered. */
  readonly text: () => string | Promise<string>;
  readonly options: FragmentOptions;
}

/** An engine in which a function shows fragments. */
export interface HelperEngine {
  /** The pages `page`, in `<main>`, and `other`, in `<aside>`, and what these need. */
  readonly views: Views;
  use(app: Express, views: string): void;
  /** Answers with a page that shows the fragment. */
  show(res: Response, page: string, call: FragmentCall): unknown;
}

const CALL: FragmentCall = {
  timeout: 60,
  name: 'a',
  varyOn: [],
  text: () => 'text',
  options: {},
};

/** What holds of fragments in each engine that has no tags of its own. */
export function describeHelperFacts(name: string, engine: HelperEngine): void {
  const directory = tempDirectories();

  describe.each([
    ['Express 5', express],
    ['Express 4', express4],
  ])(`fragments of ${name} on %s`, (_stack, makeApp) => {
    freshCaches({ other: { location: 'other' } });
    const clock = stopClock();
    let app: Express;
    const calls: FragmentCall[] = [];
    const errors: Error[] = [];
    /** How many pages have been asked for. */
    let asked = 0;

    beforeEach(() => {
      const views = directory();
      writeViews(views, engine.views);
      errors.length = 0;
      asked = 0;
      app = makeApp();
      app.set('views', views);
      engine.use(app, views);
      app.get('/:page/:call', async (req: Request, res: Response, next: NextFunction) => {
        asked++;
        try {
          await engine.show(res, String(req.params.page), calls[Number(req.params.call)]!);
        } catch (error) {
          next(error);
        }
      });
      app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
        errors.push(error);
        res.status(500).end();
      });
    });

    function ask(call: Partial<FragmentCall>, page: string): Test {
      calls.push({ ...CALL, ...call });
      return request(app).get(`/${page}/${calls.length - 1}`);
    }

    async function shown(call: Partial<FragmentCall>, page = 'page'): Promise<string> {
      const { status, text } = await ask(call, page);
      expect(errors).toEqual([]);
      expect(status).toBe(200);
      return text;
    }

    /** The error that Express gets in place of a page. */
    async function failure(call: Partial<FragmentCall>): Promise<Error> {
      const { status } = await ask(call, 'page');
      expect(status).toBe(500);
      expect(errors).toHaveLength(1);
      return errors.pop()!;
    }

    test.each<[string, unknown[] | undefined, string]>([
      ['a.fragment', undefined, 'd41d8cd98f00b204e9800998ecf8427e'],
      ['foo', ['abc'], '493e283d571a73056196f1a68efd0f66'],
      ['bar', ['abc', 'def'], '17c1a507a0cb58384f4c639067a93520'],
    ])('%s, varied on %j, has the key of Django (FRAG-01, FRAG-02)', async (name, varyOn, hash) => {
      await shown({ name, varyOn });
      expect(await caches.default.hasKey(`template.cache.${name}.${hash}`)).toBe(true);
    });

    test.each<[string, unknown[], string]>([
      ['spam', ['abc:def%'], '06c8ae8e8c430b69fb0a6443504153dc'],
      ['foo', [1, 2, 3, 4, 5], '7ae8fd2e0d25d651c683bdeebdb29461'],
      ['foo', ['42º', '😀'], '7ced1c94e543668590ba39b3c08b0237'],
      ['foo', ['x'.repeat(10_000)], '3670b349b5124aa56bdb50678b02b23a'],
    ])('odd and long values are hashed as in Django (FRAG-03): %s', async (name, varyOn, hash) => {
      await shown({ name, varyOn });
      expect(await caches.default.hasKey(`template.cache.${name}.${hash}`)).toBe(true);
    });

    test('no list is an empty one, 1 is "1", and a colon is not told apart (FRAG-04)', async () => {
      expect(await shown({ varyOn: undefined, text: () => 'none' })).toBe('<main>none</main>');
      expect(await shown({ varyOn: [] })).toBe('<main>none</main>');
      await shown({ varyOn: [1], text: () => 'one' });
      expect(await shown({ varyOn: ['1'] })).toBe('<main>one</main>');
      await shown({ varyOn: ['x', 'y'], text: () => 'two' });
      expect(await shown({ varyOn: ['x:y'] })).toBe('<main>two</main>');
    });

    test('it is rendered once, and shown in other templates as well (FRAG-05)', async () => {
      const text = jest.fn(() => 'a < b');
      expect(await shown({ text })).toBe('<main>a &lt; b</main>');
      expect(await shown({ text })).toBe('<main>a &lt; b</main>');
      expect(await shown({ text }, 'other')).toBe('<aside>a &lt; b</aside>');
      expect(text).toHaveBeenCalledTimes(1);
      clock.advance(60);
      await shown({ text });
      expect(text).toHaveBeenCalledTimes(2);
    });

    test('other values make others, and what is missing is an empty text (FRAG-06)', async () => {
      const values = [['x'], ['x y'], ['ü'.repeat(5000)], [''], []];
      for (const [i, varyOn] of values.entries()) await shown({ varyOn, text: () => `${i}` });
      const texts: string[] = [];
      for (const varyOn of values) texts.push(await shown({ varyOn }));
      expect(texts).toEqual([0, 1, 2, 3, 4].map((i) => `<main>${i}</main>`));
      expect(await shown({ varyOn: [undefined] })).toBe('<main>3</main>');
    });

    test('an empty one is a hit (FRAG-07)', async () => {
      const text = jest.fn(() => '');
      expect(await shown({ text })).toBe('<main></main>');
      expect(await shown({ text })).toBe('<main></main>');
      expect(text).toHaveBeenCalledTimes(1);
    });

    test.each<[number | string, number]>([
      [10, 10],
      ['10', 10],
      [1.9, 1],
    ])('a timeout of %j is %i seconds (FRAG-08)', async (timeout, seconds) => {
      const text = jest.fn(() => 'x');
      await shown({ timeout, text });
      clock.advance(seconds - 0.001);
      await shown({ timeout, text });
      expect(text).toHaveBeenCalledTimes(1);
      clock.advance(0.001);
      await shown({ timeout, text });
      expect(text).toHaveBeenCalledTimes(2);
    });

    test('null is for ever, and 0 or less renders each time (FRAG-08)', async () => {
      await shown({ timeout: null, text: () => 'kept' });
      clock.advance(100 * 365 * 24 * 3600);
      expect(await shown({ timeout: null })).toBe('<main>kept</main>');
      const text = jest.fn(() => 'x');
      for (const timeout of [0, -1, '0']) await shown({ name: 'b', timeout, text });
      expect(text).toHaveBeenCalledTimes(3);
    });

    test.each<[unknown, string]>([
      [undefined, 'undefined'],
      ['foo', "'foo'"],
      [[1], '[ 1 ]'],
    ])('a timeout of %j is an error of the page (FRAG-09)', async (timeout, shownAs) => {
      const text = jest.fn(() => 'x');
      const { message } = await failure({ timeout: timeout as number, text });
      expect(message).toContain(
        `Fragment "a" got the timeout ${shownAs}. Give seconds, or null for no expiry.`,
      );
      expect(text).not.toHaveBeenCalled();
    });

    test('a name that is missing is an error of the page (FRAG-10)', async () => {
      const text = jest.fn(() => 'x');
      const { message } = await failure({ name: null as unknown as string, text });
      expect(message).toContain('The name of a fragment is a string, but got null.');
      expect(text).not.toHaveBeenCalled();
    });

    test('the name is what it says, quotes and all (FRAG-11)', async () => {
      await shown({ name: '"name"' });
      const key = 'template.cache."name".d41d8cd98f00b204e9800998ecf8427e';
      expect(await caches.default.hasKey(key)).toBe(true);
    });

    test('it is kept in the alias template_fragments if there is one, else in default (FRAG-12)', async () => {
      const key = makeTemplateFragmentKey('a');
      await shown({});
      expect(await caches.default.hasKey(key)).toBe(true);
      const own = configureCaches({ default: {}, template_fragments: { location: 'fragments' } });
      await Promise.all([own.default.clear(), own.template_fragments.clear()]);
      await shown({});
      expect(await own.template_fragments.hasKey(key)).toBe(true);
      expect(await own.default.hasKey(key)).toBe(false);
    });

    test('or in the alias that is named (FRAG-13)', async () => {
      const key = makeTemplateFragmentKey('a');
      const own = configureCaches({ default: {}, template_fragments: { location: 'fragments' } });
      await Promise.all([own.default.clear(), own.template_fragments.clear()]);
      await shown({ options: { using: 'default' } });
      expect(await own.default.hasKey(key)).toBe(true);
      expect(await own.template_fragments.hasKey(key)).toBe(false);
    });

    test('an alias that is unknown is an error of the page, and names it (FRAG-14)', async () => {
      const text = jest.fn(() => 'x');
      const error = await failure({ options: { using: 'nowhere' }, text });
      expect(error).toBeInstanceOf(InvalidCacheBackendError);
      expect(error.message).toContain('"nowhere" is not configured');
      expect(text).not.toHaveBeenCalled();
    });

    test('it is deleted by its key (FRAG-15)', async () => {
      await shown({ name: 'sidebar', varyOn: ['ann'], text: () => 'old' });
      const key = makeTemplateFragmentKey('sidebar', ['ann']);
      expect(await caches.default.delete(key)).toBe(true);
      expect(await shown({ name: 'sidebar', varyOn: ['ann'], text: () => 'new' })).toBe(
        '<main>new</main>',
      );
    });

    test('it varies on the language if that is named, and not by itself (FRAG-16)', async () => {
      const inLanguage = (language: string, varyOn: string[]) =>
        shown({ varyOn, text: () => language });
      expect(await inLanguage('de', [])).toBe('<main>de</main>');
      expect(await inLanguage('en', [])).toBe('<main>de</main>');
      expect(await inLanguage('en', ['en'])).toBe('<main>en</main>');
      expect(await inLanguage('de', ['de'])).toBe('<main>de</main>');
    });

    test('of pages that show it at the same time, one renders it (FRAG-17)', async () => {
      const { promise, resolve } = deferred<string>();
      const text = jest.fn(() => promise);
      const pages = Promise.all([1, 2, 3, 4, 5].map(() => shown({ text })));
      await eventually(() => expect(asked).toBe(5));
      resolve('x');
      expect(await pages).toEqual(Array(5).fill('<main>x</main>'));
      expect(text).toHaveBeenCalledTimes(1);
    });

    test('one that throws is not stored, and its error is that of the page (FRAG-17)', async () => {
      const broken = new Error('The database is away.');
      const text = jest.fn(() => Promise.reject(broken));
      expect((await failure({ text })).message).toContain('The database is away.');
      expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
      await failure({ text });
      expect(text).toHaveBeenCalledTimes(2);
      expect(await shown({ text: () => 'back' })).toBe('<main>back</main>');
    });

    test('those who wait for one that throws get its error (FRAG-17)', async () => {
      const { promise, reject } = deferred<string>();
      const text = jest.fn(() => promise);
      const pages = Promise.all([1, 2, 3].map(() => ask({ text }, 'page')));
      await eventually(() => expect(asked).toBe(3));
      reject(new Error('The database is away.'));
      expect((await pages).map(({ status }) => status)).toEqual([500, 500, 500]);
      for (const { message } of errors) expect(message).toContain('The database is away.');
    });

    test('tags of a fragment within purge the one around it', async () => {
      const inner = jest.fn(() => 'inner');
      const text = jest.fn(() => cacheFragment(600, 'inner', [], inner, { tags: ['row'] }));
      await shown({ name: 'inner-first', text });
      const outer = { text: jest.fn(text), options: { tags: ['table'] } };
      const runs = () => [outer.text, inner].map(({ mock }) => mock.calls.length);
      await shown(outer);
      await shown(outer);
      expect(runs()).toEqual([1, 1]);
      await caches.default.invalidateTags(['row']);
      await shown(outer);
      expect(runs()).toEqual([2, 2]);
      await caches.default.invalidateTags(['table']);
      await shown(outer);
      expect(runs()).toEqual([3, 2]);
    });
  });
}
