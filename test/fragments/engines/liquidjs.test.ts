import { addCacheTag } from 'cachewright/liquidjs';
import { Liquid } from 'liquidjs';
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
