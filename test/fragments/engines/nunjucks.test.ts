import { addCacheTag } from 'cachewright/nunjucks';
import nunjucks from 'nunjucks';
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
