import type nunjucks from 'nunjucks';
import type { CorpusPage } from './corpus';

export interface NunjucksPage extends CorpusPage {
  readonly options?: nunjucks.ConfigureOptions;
}

const one = (page: string, options?: nunjucks.ConfigureOptions): NunjucksPage => ({
  views: { page },
  options,
});

const RAW = { autoescape: false };
const TRIM = { trimBlocks: true, lstripBlocks: true };

const LAYOUT = `<title>{% block title %}none{% endblock %}</title>
{% cache 60, "nav" %}<nav>{{ html }}</nav>{% endcache %}
{% block content %}<p>{{ words[1] }}</p>{% endblock %}
`;

/** Pages in which `{% cache … %}` may be taken out. */
export const NUNJUCKS_PAGES: Readonly<Record<string, NunjucksPage>> = {
  'text alone': one('a{% cache 60, "a" %}text{% endcache %}b'),
  'nothing in it': one('a{% cache 60, "a" %}{% endcache %}b'),
  'what comes to nothing': one('a{% cache 60, "a" %}{{ nothing }}{{ missing }}{% endcache %}b'),
  'blanks alone': one('{% cache 60, "a" %} \n\t {% endcache %}'),
  escaped: one('{% cache 60, "a" %}{{ html }} {{ words }}{% endcache %}{{ html }}'),
  'not escaped': one('{% cache 60, "a" %}{{ html }} {{ words }}{% endcache %}{{ html }}', RAW),
  'marked as safe': one('{% cache 60, "a" %}{{ html | safe }}{{ html | escape }}{% endcache %}'),
  'escaped by force': one('{% cache 60, "a" %}{{ html | forceescape }}{% endcache %}', RAW),
  entities: one('{% cache 60, "a" %}&amp;&lt;{{ "&amp;" }}{{ "&amp;" | safe }}{% endcache %}'),
  Unicode: one('{% cache 60, "a" %}é{{ unicode }}👩‍👩‍👧‍👦\u2028{% endcache %}'),
  'control characters': one('{% cache 60, "a" %}\u0000{{ control }}\ufeff{% endcache %}'),
  CRLF: one('a\r\n{% cache 60, "a" %}\r\n{{ crlf }}\r\n{% endcache %}\r\nb'),
  'CRLF, trimmed': one('a\r\n  {% cache 60, "a" %}\r\n{{ crlf }}\r\n  {% endcache %}\r\nb', TRIM),
  'back-slashes and quotes': one(
    '{% cache 60, "a" %}\\n \\" {{ backslash }} \' `$x`{% endcache %}',
  ),
  'very long': one('{% cache 60, "a" %}{{ long }}{{ long | safe }}{% endcache %}'),
  'blanks taken away inside': one('a {% cache 60, "a" -%}  \n x {{ zero }} \n {%- endcache %} b'),
  'blanks taken away outside': one('a \n {%- cache 60, "a" %} x {% endcache -%} \n b'),
  'blanks taken away everywhere': one('a \n {%- cache 60, "a" -%}  x  {%- endcache -%} \n b'),
  'trimmed lines': one('a\n  {% cache 60, "a" %}\n  x\n  {% endcache %}\nb\n', TRIM),
  'a trimmed line at the beginning': one('\n  {% cache 60, "a" %}\nx\n{% endcache %}\n', TRIM),
  'blanks at the beginning, trimmed': one('  {% cache 60, "a" %}\nx\n{% endcache %}\n', TRIM),
  'several, one like another': one(
    '{% cache 60, "a" %}1{% endcache %}{% cache 60, "b", 2 %}2{% endcache %}{% cache 60, "b", 2 %}2{% endcache %}',
  ),
  'one in another': one(
    '{% cache 60, "a" %}[{% cache 60, "b" %}<{% cache 60, "c" %}{{ html }}{% endcache %}>{% endcache %}]{% endcache %}',
  ),
  comments: one('{% cache 60, "a" %}x{# {{ html }} #}y{#- -#} z {% endcache %}{# end #}'),
  raw: one('{% cache 60, "a" %}{% raw %}{{ html }} {% if %} {# no #}{% endraw %}{% endcache %}'),
  verbatim: one('{% cache 60, "a" %}{% verbatim %}{{ html }}{% endverbatim %}{% endcache %}'),
  'a raw block around the word': one(
    '{% raw %}{% cached 60 %}{% endraw %}{% cache 60, "a" %}x{% endcache %}',
  ),
  conditions: one(
    '{% if no %}{% cache 60, "a" %}1{% endcache %}{% elif zero %}2{% else %}{% cache 60, "b" %}{% if html %}3{% endif %}{% endcache %}{% endif %}4',
  ),
  'inline conditions': one('{% cache 60, "a" %}{{ "yes" if html else "no" }}{% endcache %}'),
  'a loop in it': one(
    '{% cache 60, "a" %}{% for row in rows %}{{ loop.index }}/{{ loop.length }} {{ row.name }}{% if not loop.last %}, {% endif %}{% endfor %}{% endcache %}',
  ),
  'a loop around it': one(
    '{% for row in rows %}{% cache 60, "row", row.id %}{{ loop.index0 }}{{ loop.first }}{{ loop.revindex }} {{ row.name }}{% endcache %}{{ loop.last }}\n{% endfor %}',
  ),
  'loops in loops': one(
    '{% for row in rows %}{% cache 60, "row", row.id %}{{ row.name }}:{% for tag in row.tags %}{% cache 60, "tag", tag %}{{ tag }}{{ loop.index }}{% endcache %}{% endfor %};{% endcache %}{{ loop.index }}{% endfor %}',
  ),
  'a loop over pairs': one(
    '{% for name, value in json %}{% cache 60, "pair", name %}{{ name }}={{ value }}{{ loop.index }}{% endcache %}{% endfor %}',
  ),
  'a loop over a list of lists': {
    views: {
      page: '{% for a, b in lists %}{% cache 60, "pair", a %}{{ a }}{{ b }}{% endcache %}{% endfor %}{% for a, b, c, d in lists %}{% cache 60, "four", a %}{{ a }}{{ d }}{% endcache %}{% endfor %}',
    },
    locals: {
      lists: [
        ['a', 1, 2, 3],
        ['b', 4, 5, 6],
      ],
    },
  },
  'a loop over text, a map and a set': {
    views: {
      page: '{% for c in "añ<" %}{% cache 60, "c", c %}{{ c }}{% endcache %}{% endfor %}{% for k, v in map %}{% cache 60, "m", k %}{{ k }}{{ v }}{% endcache %}{% endfor %}{% for s in set %}{% cache 60, "s", s %}{{ s }}{% endcache %}{% endfor %}',
    },
    locals: { map: new Map([['k', 'v']]), set: new Set([1, 2]) },
  },
  'a loop over nothing': one(
    '{% cache 60, "z" %}z{% endcache %}{% for x in missing %}{% cache 60, "a", x %}x{% endcache %}{% endfor %}{% for x in json %}{% cache 60, "b", x %}x{% endcache %}{% endfor %}{% for x in zero %}{% cache 60, "c", x %}x{% endcache %}{% endfor %}.',
  ),
  'a loop that has an else': one(
    '{% for row in rows %}{% cache 60, "row", row.id %}{{ row.name }}{% endcache %}{% else %}none{% endfor %}{% for k, v in json %}{% cache 60, "k", k %}{{ k }}{% endcache %}{% else %}none{% endfor %}{% for x in missing %}{% cache 60, "x", x %}{{ x }}{% endcache %}{% else %}{% cache 60, "none" %}none{{ html }}{% endcache %}{% endfor %}',
  ),
  'a switch': one(
    '{% switch zero %}{% case 1 %}one{% case 0 %}{% cache 60, "a" %}zero{{ html }}{% endcache %}{% default %}more{% endswitch %}.',
  ),
  'variables that are set': one(
    '{% set x = 1 %}{% cache 60, "a", x %}{% set y = x + 1 %}{{ y }}{% endcache %}{% set x = 5 %}{% cache 60, "a", x %}{{ x }}{% endcache %}{{ x }}',
  ),
  'a block that is set': one(
    '{% set x %}a{% cache 60, "a" %}<b>{{ html }}</b>{% endcache %}b{% endset %}{{ x }}|{{ x | safe }}',
  ),
  'a block that is filtered': one(
    '{% filter upper %}a{% cache 60, "a" %}x{{ words[0] }}{% endcache %}{% endfilter %}',
  ),
  'a block that is filtered in it': one(
    '{% cache 60, "a" %}{% filter replace("a", "&") %}a<{{ html }}{% endfilter %}{% endcache %}',
  ),
  macros: one(
    '{% macro item(row, last=false) %}<li>{% cache 60, "item", row.id %}{{ row.name }}{% if row.tags.length %}{% for tag in row.tags %}{{ tag }}{% endfor %}{% endif %}{% endcache %}{{ last }}</li>{% endmacro %}{% for row in rows %}{{ item(row, last=loop.last) }}{% endfor %}{{ item(rows[0]) | upper }}',
  ),
  'a macro in it': one(
    '{% cache 60, "a" %}{% macro b(x) %}<b>{{ x }}</b>{% endmacro %}{{ b(html) }}{% endcache %}',
  ),
  'a call': one(
    '{% macro box(title) %}<h1>{{ title }}</h1>{{ caller() }}{% endmacro %}{% call box("t") %}{% cache 60, "a" %}{{ html }}{% endcache %}{% endcall %}{% cache 60, "b" %}{% call box("u") %}{{ words[1] }}{% endcall %}{% endcache %}',
  ),
  'macros of another template': {
    views: {
      page: '{% import "macros" as m %}{% from "macros" import item as it %}{{ m.item(1) }}{{ it(2) }}{% cache 60, "p" %}{{ it(3) }}{% endcache %}',
      macros:
        '{% macro item(x) %}({% cache 60, "item", x %}{{ x }}{% include "part" %}{% endcache %}){% endmacro %}',
      part: '[{% cache 60, "part" %}{{ html }}{% endcache %}]',
    },
  },
  includes: {
    views: {
      page: '{% include "part" %}{% cache 60, "p" %}a{% include "part" %}b{% endcache %}{% if html %}{% include "part" %}{% else %}{% include "no" %}{% endif %}.',
      part: '[{{ words[1] }}{% cache 60, "part" %}{{ html }}{% endcache %}]',
    },
  },
  'includes in loops': {
    views: {
      page: '{% for row in rows %}{% include "part" %}{% if loop.last %}{% include "part" %}{% endif %}{% else %}none{% endfor %}{% for row in rows %}{% cache 60, "r", row.id %}{% include "part" %}{% endcache %}{% endfor %}',
      part: '[{% cache 60, "part", row.id %}{{ row.name }}{% endcache %}]',
    },
  },
  'includes where there is no waiting': {
    views: {
      page: '{% set x %}{% include "part" %}{% endset %}{{ x }}{% filter upper %}{% include "part" %}{% endfilter %}{% macro m() %}{% include "part" %}{% endmacro %}{{ m() }}',
      part: '[{% include "deep" %}]',
      deep: '{% cache 60, "deep" %}{{ words[0] }}{% endcache %}',
    },
  },
  'a missing include': {
    views: { page: 'a{% cache 60, "a" %}{% include "none" ignore missing %}{% endcache %}b' },
  },
  inheritance: {
    views: {
      page: '{% extends "layout" %}{% block title %}{% cache 60, "title" %}{{ html }}{% endcache %}{% endblock %}{% block content %}{{ super() }}{% cache 60, "c" %}{{ super() }}!{% endcache %}{% endblock %}',
      layout: LAYOUT,
    },
  },
  'inheritance of what is not overridden': {
    views: { page: '{% extends "layout" %}{{ html }}', layout: LAYOUT },
  },
  'inheritance of three': {
    views: {
      page: '{% extends "middle" %}{% block content %}page {{ super() }}{% endblock %}',
      middle:
        '{% extends "layout" %}{% block content %}{% cache 60, "m" %}middle {{ super() }}{% endcache %}{% endblock %}',
      layout: LAYOUT,
    },
  },
  'a block in it': one(
    '{% cache 60, "a" %}a{{ html }}b{% endcache %}{% block x %}{% cache 60, "b" %}{{ html }}{% endcache %}{% endblock %}',
  ),
  'blocks in conditions and loops': {
    views: {
      page: '{% extends "base" %}{% block a %}{% cache 60, "a" %}{{ html }}{% endcache %}{% endblock %}{% block b %}{% cache 60, "b", row.id %}{{ row.name }}{% endcache %}{% endblock %}',
      base: '{% if html %}{% block a %}{% endblock %}{% endif %}.{% for row in rows %}{{ row.id }}.{% endfor %}{% if no %}{% else %}{% block b %}{% endblock %}{% endif %}.',
    },
    locals: { row: { id: 1, name: '<row>' } },
  },
  'filters in it': one(
    '{% cache 60, "a" %}{{ words | join(", ") | title }}{{ html | length }}{{ json | dump | safe }}{{ rows | length }}{% endcache %}',
  ),
  'other delimiters': one('<% cache 60, "a" %><$ html $><# no #><% endcache %>{{ html }}', {
    tags: {
      blockStart: '<%',
      blockEnd: '%>',
      variableStart: '<$',
      variableEnd: '$>',
      commentStart: '<#',
      commentEnd: '#>',
    },
  }),
};
