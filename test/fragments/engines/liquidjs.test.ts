import { caches, makeTemplateFragmentKey } from 'cachewright';
import { addCacheTag } from 'cachewright/liquidjs';
import { Liquid } from 'liquidjs';
import { deferred } from '../../support/deferred';
import { freshCaches } from '../../support/fresh-caches';
import { describeCorpus, LOCALS, withMarks, withoutTags } from './corpus';
import { LIQUID_PAGES, type LiquidPage } from './liquidjs-corpus';
import { describeTagFacts } from './tag-facts';

describeTagFacts('LiquidJS', {
  extension: 'liquid',
  open(views) {
    const engine = new Liquid({ root: views, extname: '.liquid' });
    addCacheTag(engine);
    // Where a variable fails, LiquidJS names no file.
    engine.registerFilter('called', function (local) {
      return (this.context.environments as Record<string, () => unknown>)[local]!();
    });
    return {
      render: (view, locals) => engine.renderFile(view, locals),
      use: (app) => app.engine('liquid', engine.express()),
    };
  },
  tag({ timeout, name, varyOn = [], tags, version, using }, body) {
    const args = [timeout, name, ...varyOn];
    const keywords = { tags, version, using };
    for (const [keyword, value] of Object.entries(keywords)) {
      if (value !== undefined) args.push(`${keyword}=${value}`);
    }
    return `{% cache ${args.join(' ')} %}${body}{% endcache %}`;
  },
  call: (local) => (local.includes('.') ? `{{ ${local} }}` : `{{ "${local}" | called }}`),
  loop: (body) => `{% for row in rows %}${body}{% endfor %}`,
  include: (view) => `{% include "${view}" %}`,
  filtered: (local) => `${local}|plus:0`,
  misspelt: [
    ['{% cache %}{% endcache %}', 'needs a timeout and a name'],
    ['{% cache 60 %}{% endcache %}', 'needs a timeout and a name'],
    ['{% cache 60 using="default" %}{% endcache %}', 'needs a timeout and a name'],
    ['{% cache 60 a %}x', 'has no {% endcache %}'],
    ['{% cache 60 a |b %}{% endcache %}', 'invalid value expression: "|b"'],
    ['{% cache 60 a b,c %}{% endcache %}', 'unexpected ",c"'],
    ['{% cache 60 a using="default" b %}{% endcache %}', 'Keywords of {% cache %} come last'],
    ['{% cache 60 a using="default" tags="b" %}{% endcache %}', 'using is the last argument'],
    ['{% cache 60 a tags="b" tags="c" %}{% endcache %}', 'has tags twice'],
  ],
  placed: (view, line) => new RegExp(`${view}\\.liquid, line:${line}, col:\\d+`),
});

/** An engine whose templates are in memory. */
function engineOf({ views, options }: LiquidPage, change = (text: string) => text): Liquid {
  const texts = Object.entries(views).map(([name, text]) => [name, change(text)]);
  return new Liquid({ templates: Object.fromEntries(texts), ...options });
}

describeCorpus<LiquidPage>('LiquidJS', LIQUID_PAGES, {
  withoutCache: async (_views, page) =>
    engineOf(page, withoutTags).renderFile('page', { ...LOCALS, ...page.locals }),
  async withCache(_views, page, onRendered) {
    const engine = engineOf(page, withMarks);
    addCacheTag(engine);
    engine.registerTag('mark', { render: () => onRendered() });
    return engine.renderFile('page', { ...LOCALS, ...page.locals });
  },
});

describe('{% cache %} of LiquidJS', () => {
  freshCaches();
  let runs = 0;
  let engine: Liquid;

  beforeEach(() => {
    runs = 0;
    open({});
  });

  function open(templates: Record<string, string>): void {
    engine = new Liquid({ templates });
    addCacheTag(engine);
    engine.registerTag('mark', { render: () => void runs++ });
  }

  test('quotes are part of the name (FRAG-11)', async () => {
    await engine.parseAndRender('{% cache 60 "a" %}x{% endcache %}');
    expect(await caches.default.hasKey(makeTemplateFragmentKey('"a"'))).toBe(true);
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
  });

  test('what is in quotes is not split, and may be filtered', async () => {
    const varyOn = `"a 'b'" 'c "d"'|append:" e f" g.h[0]`;
    await engine.parseAndRender(`{% cache 60 a ${varyOn} %}x{% endcache %}`, { g: { h: ['i'] } });
    const key = makeTemplateFragmentKey('a', ["a 'b'", 'c "d" e f', 'i']);
    expect(await caches.default.hasKey(key)).toBe(true);
  });

  test('nil is for ever, and an empty text to vary on', async () => {
    for (const varyOn of ['nil', '""', 'missing']) {
      await engine.parseAndRender(`{% cache nil a ${varyOn} %}{% mark %}{% endcache %}`);
    }
    expect(runs).toBe(1);
  });

  test('it cannot be rendered synchronously', () => {
    const source = '\n{% cache 60 a %}x{% endcache %}';
    expect(() => engine.parseAndRenderSync(source)).toThrow(/Use render\(\).*, line:2, col:1/);
  });

  test('it can be streamed', async () => {
    const templates = engine.parse('a{% cache 60 a %}{% mark %}x{% endcache %}b');
    for (const _ of ['miss', 'hit']) {
      let text = '';
      for await (const chunk of engine.renderToNodeStream(templates)) text += chunk;
      expect(text).toBe('axb');
    }
    expect(runs).toBe(1);
  });

  test.each([
    ['break', '<1><2.'],
    ['continue', '<1><2<3>.'],
  ])('one that leaves the loop by %s does so each time', async (word, expected) => {
    const source = `{% for x in (1..3) %}{% cache 60 a x %}{% mark %}<{{ x }}{% if x == 2 %}{% ${word} %}{% endif %}>{% endcache %}{% endfor %}.`;
    for (const _ of ['miss', 'hit']) expect(await engine.parseAndRender(source)).toBe(expected);
    // Once all, then the one.
    expect(runs).toBe(word === 'break' ? 3 : 4);
  });

  test('those who wait for one that leaves the loop leave it, too', async () => {
    const { promise, resolve } = deferred<string>();
    const source =
      '{% for x in (1..3) %}{% cache 60 a %}{{ slow }}{% break %}{% endcache %}{{ x }}{% endfor %}.';
    const templates = engine.parse(source);
    const pages = Promise.all([1, 2, 3].map(() => engine.render(templates, { slow: promise })));
    resolve('s');
    expect(await pages).toEqual(['s.', 's.', 's.']);
  });

  test('one that brings blocks for the layout does so each time', async () => {
    open({
      page: '{% layout "layout" %}{% cache 60 a %}{% mark %}{% block x %}mine{% endblock %}{% endcache %}',
      layout: '<{% block x %}default{% endblock %}>',
    });
    for (const _ of [1, 2]) expect(await engine.renderFile('page')).toBe('<mine>');
    expect(runs).toBe(2);
  });

  test('the variables in it are known to LiquidJS', async () => {
    const source = '{% cache ttl a user.name|append:x using=where %}{{ text }}{% endcache %}';
    expect(await engine.variables(source)).toEqual(['ttl', 'user', 'x', 'where', 'text']);
  });

  test('of several errors all are told, where all are caught', async () => {
    engine = new Liquid({ catchAllErrors: true });
    addCacheTag(engine);
    engine.registerFilter('fail', () => {
      throw new Error('no');
    });
    const source = '{% cache 60 a %}{{ 1 | fail }}{{ 2 | fail }}{% endcache %}';
    const error = await engine.parseAndRender(source).catch((thrown) => thrown);
    expect(JSON.stringify(error.errors.map(String))).toMatch(/2 errors found|no.*no/);
    expect(await caches.default.hasKey(makeTemplateFragmentKey('a'))).toBe(false);
  });
});
