import { caches, cacheTags, configureCaches, makeTemplateFragmentKey } from 'cachewright';
import { addCacheTag } from 'cachewright/nunjucks';
import nunjucks from 'nunjucks';
import { freshCaches } from '../../support/fresh-caches';
import { MapCache } from '../../support/map-cache';
import { catchWarnings } from '../../support/process-warnings';
import { settled } from '../../support/settled';
import { describeCorpus, LOCALS, withMarks, withoutTags } from './corpus';
import { NUNJUCKS_PAGES, type NunjucksPage } from './nunjucks-corpus';
import { memoryLoader, nunjucksEnvironment, rendered } from './nunjucks-engine';
import { describeTagFacts } from './tag-facts';

describeTagFacts('Nunjucks', {
  extension: 'njk',
  open(views) {
    const env = nunjucksEnvironment(views);
    return {
      render: (view, locals) => rendered(env, `${view}.njk`, locals),
      use: (app) => env.express(app),
    };
  },
  tag({ timeout, name, varyOn = [], ...keywords }, body) {
    const args = [timeout, JSON.stringify(name), ...varyOn];
    for (const [keyword, value] of Object.entries(keywords)) args.push(`${keyword}=${value}`);
    return `{% cache ${args.join(', ')} %}${body}{% endcache %}`;
  },
  call: (local) => `{{ ${local} | called }}`,
  loop: (body) => `{% for row in rows %}${body}{% endfor %}`,
  include: (view) => `{% include "${view}" %}`,
  filtered: (local) => `${local} | int`,
  misspelt: [
    ['{% cache %}{% endcache %}', 'needs a timeout and a name'],
    ['{% cache 60 %}{% endcache %}', 'needs a timeout and a name'],
    ['{% cache 60, using="default" %}{% endcache %}', 'needs a timeout and a name'],
    ['{% cache 60, "a" %}x', 'has no {% endcache %}'],
    ['{% cache 60, name %}{% endcache %}', 'The name of a fragment is text in quotes'],
    ['{% cache 60, "a" ~ b %}{% endcache %}', 'The name of a fragment is text in quotes'],
    ['{% cache 60, 5 %}{% endcache %}', 'The name of a fragment is text in quotes'],
    ['{% cache 60 "a" %}{% endcache %}', 'needs commas between its arguments'],
    ['{% cache 60, "a", using="default", b %}{% endcache %}', 'Keywords of {% cache %} come last'],
    [
      '{% cache 60, "a", usin="b" %}{% endcache %}',
      'takes each of the keywords using, tags, version',
    ],
    ['{% cache 60, "a", using="b", using="b" %}{% endcache %}', 'takes each of the keywords'],
  ],
  placed: (view, line) => new RegExp(`${view}\\.njk\\) \\[Line ${line}, Column \\d+\\]`),
});

describeCorpus<NunjucksPage>('Nunjucks', NUNJUCKS_PAGES, {
  withoutCache(_views, { views, options, locals }) {
    const env = new nunjucks.Environment(memoryLoader(views, withoutTags), { ...options });
    return rendered(env, 'page', { ...LOCALS, ...locals });
  },
  withCache(_views, { views, options, locals }, onRendered) {
    const env = new nunjucks.Environment(memoryLoader(views, withMarks), { ...options });
    addCacheTag(env);
    env.addExtension('mark', {
      tags: ['mark'],
      parse(parser, nodes) {
        parser.advanceAfterBlockEnd(parser.nextToken().value);
        return new nodes.CallExtension('mark', 'run', new nodes.NodeList(0, 0, []), []);
      },
      run: onRendered,
    } as nunjucks.Extension);
    return rendered(env, 'page', { ...LOCALS, ...locals });
  },
});

describe('pages of Nunjucks are the same where the cache answers later', () => {
  freshCaches({ default: { backend: MapCache, location: 'later' } });
  catchWarnings();

  test.each(Object.entries(NUNJUCKS_PAGES))('%s', async (_title, { views, options, locals }) => {
    const given = { ...LOCALS, ...locals };
    const plain = new nunjucks.Environment(memoryLoader(views, withoutTags), { ...options });
    const expected = await rendered(plain, 'page', given);
    const env = new nunjucks.Environment(memoryLoader(views), { ...options });
    addCacheTag(env);
    for (const _ of ['miss', 'hit']) expect(await rendered(env, 'page', given)).toBe(expected);
  });
});

describe('{% cache %} of Nunjucks', () => {
  freshCaches({ later: { backend: MapCache, location: 'in macros' } });
  const warnings = catchWarnings();
  let views: Record<string, string>;
  let env: nunjucks.Environment;
  let runs: string[];

  beforeEach(() => {
    views = {};
    runs = [];
    open();
  });

  function open(options?: nunjucks.ConfigureOptions): void {
    env = new nunjucks.Environment(memoryLoader(views), options);
    addCacheTag(env);
    env.addGlobal('run', (name: string) => {
      runs.push(name);
      return name;
    });
    env.addGlobal('tagged', (tag: string) => {
      cacheTags(tag);
      return '';
    });
    env.addGlobal('fail', () => {
      throw new Error('The database is away.');
    });
  }

  function page(text: string, locals: object = {}): Promise<string> {
    views.page = text;
    return rendered(env, 'page', locals);
  }

  const errorOf = async (text: string): Promise<string> => {
    const error = await page(text).catch((thrown: Error) => thrown);
    return error instanceof Error ? error.message : `no error, but ${error}`;
  };

  describe('in a macro', () => {
    const MACRO = (keywords = '') =>
      `{% macro row(x) %}<{% cache 60, "row", x${keywords} %}{{ run(x) }}{{ tagged("row:" ~ x) }}{% endcache %}>{% endmacro %}`;

    test('local memory keeps it, and its tags', async () => {
      const source = `${MACRO()}{{ row("a") }}{{ row("b") }}{{ row("a") }}`;
      for (const _ of ['miss', 'hit']) expect(await page(source)).toBe('<a><b><a>');
      expect(runs).toEqual(['a', 'b']);
      await caches.default.invalidateTags(['row:b']);
      expect(await page(source)).toBe('<a><b><a>');
      expect(runs).toEqual(['a', 'b', 'b']);
      expect(warnings).toEqual([]);
    });

    test('its tags are those of the fragment around the call', async () => {
      const source = `${MACRO()}{% cache 60, "list" %}{{ run("list") }}{{ row("a") }}{% endcache %}`;
      for (const _ of ['miss', 'hit']) expect(await page(source)).toBe('list<a>');
      await caches.default.invalidateTags(['row:a']);
      expect(await page(source)).toBe('list<a>');
      expect(runs).toEqual(['list', 'a', 'list', 'a']);
    });

    test('others render it each time, of which is warned once', async () => {
      const source = `\n${MACRO(', using="later"')}{{ row("a") }}{{ row("a") }}`;
      for (let i = 0; i < 2; i++) expect(await page(source)).toBe('\n<a><a>');
      expect(runs).toHaveLength(4);
      expect(warnings.map(({ code }) => code)).toEqual(['CACHEWRIGHT_FRAGMENT']);
      expect(warnings[0]!.message).toContain('Fragment "row", on line 2 of its template');
      expect(warnings[0]!.message).toContain('an alias template_fragments');
    });

    test('an alias on local memory keeps it, whatever the default is', async () => {
      configureCaches({
        default: { backend: MapCache, location: 'default' },
        template_fragments: { location: 'macros' },
      });
      await caches.template_fragments!.clear();
      const source = `${MACRO()}{{ row("a") }}{{ row("a") }}`;
      expect(await page(source)).toBe('<a><a>');
      expect(runs).toEqual(['a']);
    });

    test('an error has the line it is on, and nothing is stored', async () => {
      const source =
        '{% macro m() %}\n{% cache 60, "a" %}\n {{ fail() }}{% endcache %}{% endmacro %}\n{{ m() }}';
      expect(await errorOf(source)).toMatch(/^\(page\) \[Line 3, .*The database is away\.$/s);
      expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
      const unknown =
        '{% macro m() %}\n{% cache 60, "a", using="no" %}{% endcache %}{% endmacro %}\n{{ m() }}';
      expect(await errorOf(unknown)).toMatch(/^\(page\) \[Line 2, Column 4\].*"no"/s);
    });

    test('it need not wait for one who renders the same', async () => {
      let resolve!: (text: string) => void;
      const slow = new Promise<string>((given) => {
        resolve = given;
      });
      env.addFilter('slow', (_, callback) => void slow.then((text) => callback(null, text)), true);
      views.other = '{% cache 60, "row", "a" %}{{ 1 | slow }}{% endcache %}';
      const other = rendered(env, 'other', {});
      await settled();
      expect(await page(`${MACRO()}{{ row("a") }}{{ row("a") }}`)).toBe('<a><a>');
      expect(runs).toEqual(['a']);
      resolve('other');
      expect(['a', 'other']).toContain(await other);
    });
  });

  test('an error in it has the line of the call, and one behind it, too', async () => {
    expect(await errorOf('\n{% cache 60, "a" %}\n\n {{ fail() }}{% endcache %}')).toMatch(
      /^\(page\) \[Line 4, Column 9\]\s+Error: The database is away\.$/,
    );
    const behind = '\n{% cache 60, "b" %}x{% endcache %}\n\n {{ fail() }}';
    for (const _ of ['miss', 'hit']) {
      expect(await errorOf(behind)).toMatch(/^\(page\) \[Line 4, Column 9\]/);
    }
  });

  test('an error in one within another is told once, with its own line', async () => {
    const source =
      '{% cache 60, "a" %}\n{% cache 60, "b" %}\n{{ x | nofilter }}{% endcache %}{% endcache %}';
    expect(await errorOf(source)).toBe(
      '(page) [Line 2, Column 4]\n  Error: filter not found: nofilter',
    );
  });

  test('an error of an included template names both', async () => {
    views.part = '\n{% cache 60, "part" %}{{ fail() }}{% endcache %}';
    const message = await errorOf('{% cache 60, "a" %}\n{% include "part" %}{% endcache %}');
    expect(message).toMatch(/^\(page\).*\(part\) \[Line 2, .*The database is away\.$/s);
  });

  test('what is undefined has its own line where that is an error', async () => {
    open({ throwOnUndefined: true });
    const source = '{% cache 60, "a" %}\n\n{{ missing }}{% endcache %}';
    expect(await errorOf(source)).toMatch(/^\(page\) \[Line 3, Column \d+\]\s+attempted to output/);
    views.part = '{% cache 60, "part" %}p{% endcache %}';
    expect(await page('{% for x in [1, 2] %}{% include "part" %}{% endfor %}')).toBe('pp');
  });

  test('those who wait for it get an error of their own, with the template once', async () => {
    open({ throwOnUndefined: true });
    let resolve!: () => void;
    const slow = new Promise<void>((given) => {
      resolve = given;
    });
    env.addFilter(
      'slow',
      (_, callback) => void slow.then(() => callback(null, 's')).catch(callback),
      true,
    );
    const source = '{% cache 60, "a" %}\n{{ 1 | slow }}{{ missing }}{% endcache %}';
    const errors = Promise.all([1, 2, 3].map(() => errorOf(source)));
    await settled();
    resolve();
    for (const message of await errors) {
      expect(message).toMatch(/^\(page\) \[Line [12], Column \d+\]\s+attempted to output/);
    }
  });

  test('in the mode for developers the error is of the class that Nunjucks has', async () => {
    open({ dev: true });
    await expect(page('\n{% cache no, "a" %}{% endcache %}')).rejects.toMatchObject({
      lineno: 2,
      colno: 4,
      name: 'Template render error',
      constructor: nunjucks.lib.TemplateError,
    });
  });

  test('blocks in it are those of the page', async () => {
    views.layout =
      '<{% cache 60, "a", who %}{% block x %}default{% endblock %}{{ run(who) }}{% endcache %}>';
    const source = '{% extends "layout" %}{% block x %}mine of {{ super() }} {% endblock %}';
    for (const _ of ['miss', 'hit']) {
      expect(await page(source, { who: 'ann' })).toBe('<mine of default ann>');
    }
    expect(await rendered(env, 'layout', { who: 'bob' })).toBe('<defaultbob>');
    expect(runs).toEqual(['ann', 'bob']);
  });

  test('outside of the blocks of a page that extends another nothing is stored', async () => {
    views.layout = '{% block x %}{% endblock %}';
    const outside = '{% cache 60, "a" %}{% block y %}y{% endblock %}{% endcache %}';
    expect(await page(`{% extends "layout" %}{% block x %}x{% endblock %}${outside}`)).toBe('x');
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
    expect(
      await errorOf(`{% extends "layout" %}\n{% cache 5, "a" %}{{ fail() }}{% endcache %}`),
    ).toContain('The database is away.');
  });

  test('loops of thousands go through, of tags and of templates that have one', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => i);
    views.part = '{% cache 60, "part" %}.{% endcache %}';
    const tag = '{% cache 60, "r" %}.{% endcache %}';
    for (const body of [tag, '{% include "part" %}', `{% if r < 0 %}${tag}{% endif %}.`]) {
      const html = await page(`{% for r in rows %}${body}{% endfor %}`, { rows });
      expect(html).toBe('.'.repeat(5000));
    }
  });

  test('where the loop or the condition is told to wait, so do included templates', async () => {
    views.part = '[{% cache 60, "part", x, using="later" %}{{ run(x) }}{% endcache %}]';
    const source =
      '{% asyncEach x in ["a", "b"] %}{% include "part" %}{% endeach %}{% ifAsync 1 %}{% include "part" %}{% endif %}.';
    for (const _ of ['miss', 'hit']) expect(await page(source, { x: 'c' })).toBe('[a][b][c].');
    expect(runs).toEqual(['a', 'b', 'c']);
    expect(warnings).toEqual([]);
  });

  test('in a loop whose rounds are rendered together each has its own variables', async () => {
    views.part =
      '[{% cache 60, "part", x, using="later" %}{{ run(x) }}{{ loop.index }}{% endcache %}]';
    for (const body of [
      '{% cache 60, "a", x %}{{ run(x) }}{{ loop.index }}{% endcache %}',
      '{% include "part" %}',
    ]) {
      const source = `{% asyncAll x in ["a", "b"] %}${body}{% endall %}.`;
      for (const _ of ['miss', 'hit']) expect(await page(source)).toMatch(/^\[?a1\]?\[?b2\]?\.$/);
    }
    expect(
      await errorOf('{% asyncAll x in [1, 2] %}{% cache no, "b" %}{% endcache %}{% endall %}'),
    ).toContain('got the timeout undefined');
  });

  test('templates may be compiled before', async () => {
    const source = '{% macro m() %}{% cache 60, "m" %}{{ run("m") }}{% endcache %}{% endmacro %}';
    const code = nunjucks.precompileString(
      `${source}{{ m() }}\n{% cache 60, "a" %}{{ fail() }}{% endcache %}`,
      { name: 'page', env },
    );
    const window: { nunjucksPrecompiled?: object } = {};
    new Function('window', code)(window);
    const loader = new nunjucks.PrecompiledLoader(window.nunjucksPrecompiled as never);
    const other = new nunjucks.Environment(loader);
    addCacheTag(other);
    other.addGlobal('run', env.getGlobal('run'));
    other.addGlobal('fail', env.getGlobal('fail'));
    await expect(rendered(other, 'page', {})).rejects.toThrow(/Line 2, .*The database is away/s);
    expect(runs).toEqual(['m']);
  });

  test('an error of which nobody is told, as there is no callback, is a warning', async () => {
    views.page = '{% cache 60, "a" %}{{ fail() }}{% endcache %}';
    expect(env.render('page')).toBeNull();
    await settled();
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^A template was rendered without a callback.*The database is away\.$/s,
      ),
    ]);
  });

  test('it may be added twice', async () => {
    addCacheTag(env);
    const source =
      '{% for x in "ab" %}{% cache 60, "a", x %}{{ run(x) }}{% endcache %}{% endfor %}';
    for (const _ of ['miss', 'hit']) expect(await page(source)).toBe('ab');
    expect(runs).toEqual(['a', 'b']);
    expect(await errorOf('\n{% cache 60 %}')).toContain('[Line 2, Column 4]');
  });
});
