import { pageOf, type ViewsPage } from './cached-views';

/** A page around one fragment of this text. */
function fragment(text: string, views = {}): ViewsPage {
  return page(
    '<main>\n  <h1>{{html}}</h1>\n  {{{side}}}\n</main>\n',
    { 'side.hbs': text, ...views },
    ['side'],
  );
}

function page(text: string, views: object, fragments: readonly string[]): ViewsPage {
  return pageOf('hbs', text, views, fragments);
}

/** Views in `partials` are partials, by their file names. */
export const HANDLEBARS_PAGES: Readonly<Record<string, ViewsPage>> = {
  'plain text': fragment('<p>Hello</p>'),
  'an empty file': fragment(''),
  'white space alone': fragment(' \t\n\n  '),
  'a comment alone': fragment('{{! nothing to see }}'),
  'a comment with braces': fragment('a {{!-- }} b {{ --}} c <!-- d -->\n'),
  'escaped text': fragment('<p>{{html}}</p>'),
  'raw text': fragment('<p>{{{html}}} {{&html}}</p>'),
  Unicode: fragment('{{unicode}} | {{{unicode}}} ñ 漢 🎉'),
  'control characters': fragment('{{control}}'),
  'a byte order mark': fragment(`\ufeffa{{html}}${'.'.repeat(100)}`),
  'lines of Windows': fragment(
    '<ul>\r\n{{#each words}}\r\n<li>{{this}}</li>\r\n{{/each}}\r\n</ul>\r\n',
  ),
  'line ends of all kinds': fragment('a\rb\nc\r\n{{{crlf}}}\r'),
  'backslashes and quotes': fragment(`{{{backslash}}} \\\\ \\n " ' \` \${x}`),
  'white space cut': fragment('a\n   {{~#if true~}}   \n  b\n   {{~/if~}}  \nc\n'),
  'tags on lines of their own': fragment('a\n  {{#if words}}\n  b\n  {{/if}}\nc\n'),
  'tags as text': fragment('\\{{html}} {{{{raw}}}}{{x}}{{{{/raw}}}}'),
  'a loop': fragment('{{#each words}}{{@index}}:{{this}};{{/each}}'),
  'a loop in a loop': fragment(
    '{{#each rows as |row|}}\n<h2>{{row.name}}</h2>\n{{#each row.tags}}<i>{{this}} of {{row.id}} {{../../zero}}</i>{{else}}none{{/each}}\n{{/each}}',
  ),
  'a loop over nothing': fragment(
    '<ul>{{#each missing}}<li>{{this}}</li>{{else}}none{{/each}}</ul>',
  ),
  'a loop over an object': fragment(
    '{{#each json}}{{@key}}={{this}}{{#unless @last}},{{/unless}}{{/each}}',
  ),
  'a condition': fragment('{{#if no}}yes{{else if words}}words{{else}}no{{/if}}'),
  'a number that is 0': fragment('{{#if zero}}a{{/if}}{{#if zero includeZero=true}}b{{/if}}'),
  'another context': fragment('{{#with json}}{{html}} {{../zero}}{{/with}}'),
  'values that are nothing': fragment(
    '[{{nothing}}][{{missing}}][{{missing.deep}}][{{{nothing}}}]',
  ),
  'numbers and booleans': fragment('{{zero}} {{no}} {{-0.5}} {{true}}'),
  'names in brackets': fragment('{{rows.[1].name}} {{lookup words 1}}'),
  'a helper': fragment('{{shout html}} {{{shout html}}}'),
  'a block helper': fragment('{{#twice}}<b>{{html}}</b>{{/twice}}'),
  'a script': fragment('<script>const x = {{{jsonOf json}}};</script>'),
  'much text': fragment('{{long}}'),
  'a long template': fragment('<p>é {{zero}}</p>\n'.repeat(1000)),
  'a partial': fragment('a\n  {{> part}}\nb', { 'partials/part.hbs': '{{html}}\nc\n' }),
  'a partial with data': fragment('{{> part html="other & more"}}', {
    'partials/part.hbs': '[{{html}}]',
  }),
  'partials in a loop': fragment('{{#each rows}}\n{{> row}}\n{{/each}}', {
    'partials/row.hbs': '<li>{{name}} {{> tag}}</li>',
    'partials/tag.hbs': '{{tags.length}}',
  }),
  'a partial around a block': fragment('{{#> frame}}<p>{{html}}</p>{{/frame}}', {
    'partials/frame.hbs': '<section>{{> @partial-block}}</section>',
  }),
  'a partial written in place': fragment(
    '{{#*inline "row"}}<li>{{this}}</li>{{/inline}}{{#each words}}{{> row}}{{/each}}',
  ),
  'a page with a layout': page(
    '{{#> base}}<p>a</p>{{{side}}}{{/base}}',
    {
      'partials/base.hbs': '<!doctype html>{{> @partial-block}}\n',
      'side.hbs': '<nav>{{html}}</nav>',
    },
    ['side'],
  ),
  'fragments side by side': page(
    '<header>{{{top}}}</header>{{{side}}}<footer>{{{top}}}</footer>',
    { 'top.hbs': '<b>{{html}}</b>', 'side.hbs': '{{#each words}}<i>{{this}}</i>{{/each}}' },
    ['top', 'side'],
  ),
  'a fragment in a partial': page(
    '<header/>{{> nav}}',
    {
      'partials/nav.hbs': '<nav>{{{links}}}</nav>',
      'links.hbs': '{{#each words}}<a>{{this}}</a>{{/each}}',
    },
    ['links'],
  ),
  'a page that is one fragment': page('{{{all}}}', { 'all.hbs': '<html>{{html}}</html>\n' }, [
    'all',
  ]),
};
