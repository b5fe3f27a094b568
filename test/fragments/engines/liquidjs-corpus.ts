import type { LiquidOptions } from 'liquidjs';
import type { CorpusPage } from './corpus';

export interface LiquidPage extends CorpusPage {
  readonly options?: LiquidOptions;
}

const one = (page: string, options?: LiquidOptions): LiquidPage => ({ views: { page }, options });

const ESCAPED: LiquidOptions = { outputEscape: 'escape' };

const LAYOUT = `<title>{% block title %}none{% endblock %}</title>
{% cache 60 nav %}<nav>{{ html }}</nav>{% endcache %}
{% block content %}<p>{{ words[1] }}</p>{% endblock %}
`;

/** Pages in which `{% cache … %}` may be taken out. */
export const LIQUID_PAGES: Readonly<Record<string, LiquidPage>> = {
  'text alone': one('a{% cache 60 a %}text{% endcache %}b'),
  'nothing in it': one('a{% cache 60 a %}{% endcache %}b'),
  'what comes to nothing': one('a{% cache 60 a %}{{ nothing }}{{ missing }}{% endcache %}b'),
  'blanks alone': one('{% cache 60 a %} \n\t {% endcache %}'),
  'not escaped': one('{% cache 60 a %}{{ html }} {{ words }}{% endcache %}{{ html }}'),
  escaped: one('{% cache 60 a %}{{ html }} {{ words }}{% endcache %}{{ html }}', ESCAPED),
  'raw where all is escaped': one(
    '{% cache 60 a %}{{ html | raw }}{{ html }}{% endcache %}',
    ESCAPED,
  ),
  'escaped by filters': one(
    '{% cache 60 a %}{{ html | escape }}{{ html | escape_once }}{% endcache %}',
  ),
  entities: one('{% cache 60 a %}&amp;&lt;{{ "&amp;" }}{{ "&amp;" | escape }}{% endcache %}'),
  Unicode: one('{% cache 60 a %}é{{ unicode }}👩‍👩‍👧‍👦\u2028{% endcache %}'),
  'control characters': one('{% cache 60 a %}\u0000{{ control }}\ufeff{% endcache %}'),
  CRLF: one('a\r\n{% cache 60 a %}\r\n{{ crlf }}\r\n{% endcache %}\r\nb'),
  'back-slashes and quotes': one('{% cache 60 a %}\\n \\" {{ backslash }} \' `$x`{% endcache %}'),
  'very long': one('{% cache 60 a %}{{ long }}{{ long | upcase }}{% endcache %}'),
  'blanks taken away inside': one('a {% cache 60 a -%}  \n x {{ zero }} \n {%- endcache %} b'),
  'blanks taken away outside': one('a \n {%- cache 60 a %} x {% endcache -%} \n b'),
  'blanks taken away everywhere': one('a \n {%- cache 60 a -%}  x  {%- endcache -%} \n b'),
  'blanks taken away by options': one('a \n {% cache 60 a %} \n x \n {% endcache %} \n b', {
    trimTagLeft: true,
    trimTagRight: true,
  }),
  'blanks taken away up to lines': one('a \n {%- cache 60 a -%} \n\n x \n {%- endcache -%} \n b', {
    greedy: false,
  }),
  'several, one like another': one(
    '{% cache 60 a %}1{% endcache %}{% cache 60 b 2 %}2{% endcache %}{% cache 60 b 2 %}2{% endcache %}',
  ),
  'one in another': one(
    '{% cache 60 a %}[{% cache 60 b %}<{% cache 60 c %}{{ html }}{% endcache %}>{% endcache %}]{% endcache %}',
  ),
  comments: one(
    '{% cache 60 a %}x{% comment %}{{ html }}{% endcomment %}y{%- # no -%} z{% endcache %}',
  ),
  raw: one('{% cache 60 a %}{% raw %}{{ html }} {% if %}{% endraw %}{% endcache %}'),
  'a raw block around the word': one(
    '{% raw %}{% cached %}{% endraw %}{% cache 60 a %}x{% endcache %}',
  ),
  conditions: one(
    '{% if no %}{% cache 60 a %}1{% endcache %}{% elsif nothing %}2{% else %}{% cache 60 b %}{% unless no %}3{% endunless %}{% endcache %}{% endif %}4',
  ),
  cases: one(
    '{% case zero %}{% when 1 %}one{% when 0 %}{% cache 60 a %}zero{{ html }}{% endcache %}{% else %}more{% endcase %}.',
  ),
  'a loop in it': one(
    '{% cache 60 a %}{% for row in rows %}{{ forloop.index }}/{{ forloop.length }} {{ row.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}{% endcache %}',
  ),
  'a loop around it': one(
    '{% for row in rows %}{% cache 60 row row.id %}{{ forloop.index0 }} {{ row.name }}{% endcache %}{{ forloop.last }}\n{% endfor %}',
  ),
  'loops in loops': one(
    '{% for row in rows %}{% cache 60 row row.id %}{{ row.name }}:{% for tag in row.tags %}{% cache 60 tag tag %}{{ tag }}{% endcache %}{% else %}none{% endfor %};{% endcache %}{{ forloop.index }}{% endfor %}',
  ),
  'a loop over pairs': one(
    '{% for pair in json %}{% cache 60 pair pair[0] %}{{ pair[0] }}={{ pair[1] }}{% endcache %}{% endfor %}',
  ),
  'a loop over nothing': one(
    '{% for x in missing %}{% cache 60 a x %}x{% endcache %}{% else %}{% cache 60 none %}none{% endcache %}{% endfor %}',
  ),
  'a table': one(
    '{% tablerow row in rows cols:2 %}{% cache 60 row row.id %}{{ row.name }}{% endcache %}{% endtablerow %}',
  ),
  cycles: one(
    '{% cache 60 a %}{% for row in rows %}{% cycle "odd", "even" %}{% endfor %}{% endcache %}',
  ),
  'variables that are assigned': one(
    '{% assign x = 1 %}{% cache 60 a x %}{% assign y = x | plus: 1 %}{{ y }}{% endcache %}{% assign x = 5 %}{% cache 60 a x %}{{ x }}{% endcache %}{{ x }}',
  ),
  'a block that is captured': one(
    '{% capture x %}a{% cache 60 a %}<b>{{ html }}</b>{% endcache %}b{% endcapture %}{{ x }}|{{ x | upcase }}',
  ),
  'a block that is captured in it': one(
    '{% cache 60 a %}{% capture x %}{{ html }}{% endcapture %}{{ x | escape }}{% endcache %}',
  ),
  'the tag liquid': one('{% cache 60 a %}{% liquid\nassign z = 1\necho z\n%}{% endcache %}'),
  includes: {
    views: {
      page: '{% include "part" %}{% cache 60 p %}a{% include "part", x: 1 %}b{% endcache %}{% if html %}{% include "part" %}{% endif %}.',
      part: '[{{ words[1] }}{% cache 60 part x %}{{ html }}{{ x }}{% endcache %}]',
    },
  },
  'rendered templates': {
    views: {
      page: '{% render "part", x: 1 %}{% cache 60 p %}a{% render "part", x: 2 %}b{% endcache %}{% render "part" for words as x %}',
      part: '[{% cache 60 part x %}{{ html }}{{ x }}{% endcache %}]',
    },
  },
  layouts: {
    views: {
      page: '{% layout "layout" %}{% block title %}{% cache 60 title %}{{ html }}{% endcache %}{% endblock %}{% block content %}{{ block.super }}{% cache 60 c %}{{ block.super }}!{% endcache %}{% endblock %}',
      layout: LAYOUT,
    },
  },
  'layouts for what is in no block': {
    views: {
      page: '{% layout "layout" %}a{% cache 60 c %}{{ html }}{% endcache %}b',
      layout: '<{% cache 60 d %}x{% endcache %}{% block %}{% endblock %}>',
    },
  },
  'a layout that has blocks in it': {
    views: {
      page: '{% layout "layout" %}{% block a %}{{ html }}{% endblock %}',
      layout: '<{% cache 60 d %}x{% block a %}none{% endblock %}{% endcache %}>',
    },
  },
  'filters in it': one(
    '{% cache 60 a %}{{ words | join: ", " | capitalize }}{{ html | size }}{{ json | json }}{{ rows | map: "name" }}{{ 5 | divided_by: 2.0 }}{% endcache %}',
  ),
  'values that keep their type': one('{% cache 60 a %}{{ zero }}{% endcache %}.', {
    keepOutputType: true,
  }),
  'other delimiters': one('<% cache 60 a %><$ html $><% endcache %><$ html $>', {
    tagDelimiterLeft: '<%',
    tagDelimiterRight: '%>',
    outputDelimiterLeft: '<$',
    outputDelimiterRight: '$>',
  }),
};
