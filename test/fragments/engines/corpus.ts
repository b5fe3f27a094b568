import { freshCaches } from '../../support/fresh-caches';
import { tempDirectories } from '../../support/temp-directory';
import { type Views, writeViews } from './views';

/** A page with fragments: with the cache and without, it is to be the same. */
export interface CorpusPage {
  /** The view `page`, and what it needs. */
  readonly views: Views;
  readonly locals?: object;
}

/** Ways to render a page, whose views are in a directory. */
export interface CorpusEngine<Page extends CorpusPage = CorpusPage> {
  /** Where showing a fragment is but to render it. */
  withoutCache(views: string, page: Page): Promise<string>;
  /** @param rendered - Called as a fragment is rendered. */
  withCache(views: string, page: Page, rendered: () => void): Promise<string>;
}

/** Data that pages show. */
export const LOCALS = {
  html: `<b onclick="go('x')">R&D</b>`,
  unicode: 'Zażółć gęślą jaźń · 日本語 · 👩‍👩‍👧‍👦 · e\u0301 · \u202eשלום\u202c · \u2028\u2029',
  control: 'a\u0000b\u001f\u007f\u00a0\ufeff',
  crlf: 'one\r\ntwo\rthree\nfour',
  backslash: `C:\new\table \${x} \`y\` 'z' "w"`,
  long: 'Ünïcödé & <more> '.repeat(20_000),
  words: ['alpha', '<beta>', "ga'mma"],
  rows: [
    { id: 1, name: 'one', tags: ['a', 'b'] },
    { id: 2, name: '<two>', tags: [] },
    { id: 3, name: 'three & more', tags: ['c'] },
  ],
  nothing: null,
  zero: 0,
  no: false,
  json: { html: '</script><!--', list: [1, null, 'ü'] },
};

/** Checks that each page comes out the same, byte by byte: not cached, on a miss and on a hit. */
export function describeCorpus<Page extends CorpusPage>(
  name: string,
  pages: Readonly<Record<string, Page>>,
  engine: CorpusEngine<Page>,
): void {
  describe(`pages of ${name} are the same with and without the cache`, () => {
    freshCaches();
    const directory = tempDirectories();

    test('there are enough of them', () => {
      expect(Object.keys(pages).length).toBeGreaterThanOrEqual(30);
    });

    test.each(Object.entries(pages))('%s', async (_title, page) => {
      const views = directory();
      writeViews(views, page.views);
      const rendered = jest.fn();
      const expected = Buffer.from(await engine.withoutCache(views, page));
      const miss = await engine.withCache(views, page, rendered);
      expect(Buffer.from(miss).equals(expected)).toBe(true);
      const runs = rendered.mock.calls.length;
      expect(runs).toBeGreaterThan(0);
      const hit = await engine.withCache(views, page, rendered);
      expect(Buffer.from(hit).equals(expected)).toBe(true);
      expect(rendered).toHaveBeenCalledTimes(runs);
    });
  });
}
