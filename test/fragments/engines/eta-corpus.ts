import { type CorpusPage, LOCALS } from './corpus';

/** A page around one fragment of this text, that is in a file of its own. */
function fragment(text: string, views = {}): CorpusPage {
  return page(
    "<main>\n<%~ await it.cache(60, 'f', [], () => (it.rendered(), includeAsync('./fragment'))) %>\n</main>\n",
    { 'fragment.eta': text, ...views },
  );
}

/** A page with one fragment of this text in it. */
function body(text: string, views = {}): CorpusPage {
  return page(
    `<main>\n<%~ await it.cache(60, 'f', [], () => captureAsync(async () => { it.rendered() %>\n${text}\n<% })) %>\n</main>\n`,
    views,
  );
}

function page(text: string, views = {}): CorpusPage {
  return { views: { 'page.eta': text, ...views }, locals: LOCALS };
}

export const ETA_PAGES: Readonly<Record<string, CorpusPage>> = {
  'plain text': fragment('<p>Hello</p>'),
  'plain text in the page': body('<p>Hello</p>'),
  'an empty file': fragment(''),
  'nothing in the page': body(''),
  'white space alone': fragment(' \t\n\n  '),
  'a comment alone': fragment('<% /* nothing to see */ %>'),
  'code alone': fragment('<% const x = 1 %>'),
  'a comment in a line': fragment('a <%/* b */%> c\n<!-- d -->\n'),
  'escaped text': fragment('<%= it.html %>'),
  'escaped text in the page': body('<%= it.html %>'),
  'raw text': fragment('<%~ it.html %>'),
  'raw text in the page': body('<%~ it.html %>'),
  Unicode: fragment('<%= it.unicode %> | <%~ it.unicode %> ñ 漢 🎉'),
  'Unicode in the page': body('<%= it.unicode %> | ñ 漢 🎉'),
  'control characters': fragment('<%= it.control %>\u0000\u000b'),
  'a byte order mark': fragment('\ufeffa<%= it.html %>'),
  'lines of Windows': fragment(
    '<ul>\r\n<% for (const w of it.words) { %>\r\n<li><%= w %></li>\r\n<% } %>\r\n</ul>\r\n',
  ),
  'line ends of all kinds': body('a\rb\nc\r\n<%~ it.crlf %>\r'),
  'backslashes and quotes': fragment(`<%~ it.backslash %> \\ \\n " ' \` \${x}`),
  'line ends cut': fragment('a\n<%- if (true) { -%>\nb\n<%- } -%>\nc\n'),
  'white space slurped': body('a\n   <%_ if (true) { _%>   \n  b\n   <%_ } _%>  \nc\n'),
  'a loop': fragment('<% it.words.forEach((w, i) => { %><%= i %>:<%= w %>;<% }) %>'),
  'a loop in the page': body('<% for (const w of it.words) { %>\n <li><%= w %></li>\n<% } %>'),
  'a loop in a loop': fragment(
    '<% for (const r of it.rows) { %>\n<h2><%= r.name %></h2>\n<% for (const t of r.tags) { %> <i><%= t %></i><% } %>\n<% } %>',
  ),
  'a loop over nothing': fragment('<ul><% for (const w of []) { %><li><%= w %></li><% } %></ul>'),
  'a condition': body('<% if (it.zero) { %>yes<% } else { %>no<% } %>'),
  'values that are nothing': fragment('[<%= it.nothing %>][<%= it.missing %>][<%~ it.nothing %>]'),
  'numbers and booleans': fragment('<%= it.zero %> <%= it.no %> <%= -0.5 %> <%= 1e21 %>'),
  'a script': fragment('<script>const x = <%~ JSON.stringify(it.json) %>;</script>'),
  'much text': fragment('<%= it.long %>'),
  'a long template': body('<p>é <%= it.zero %></p>\n'.repeat(2000)),
  'an include': fragment("a <%~ await includeAsync('./part') %> b", {
    'part.eta': '<%= it.html %>\n',
  }),
  'an include with data': body("<%~ await includeAsync('./part', { html: 'other & more' }) %>", {
    'part.eta': '[<%= it.html %>]',
  }),
  'includes in a loop': fragment(
    "<% for (const row of it.rows) { %>\n<%~ await includeAsync('./rows/row', { row }) %>\n<% } %>",
    {
      'rows/row.eta': "<li><%= it.row.name %> <%~ await includeAsync('./tag', it.row) %></li>",
      'rows/tag.eta': '<%= it.tags.length %>',
    },
  ),
  'code that waits': body('<% const x = await Promise.resolve("<x>") %><%= x %>'),
  'text that is output by code': body("<% output('<u>' + it.html + '</u>') %>"),
  'text that is captured within': body(
    '<% const x = capture(() => { %>[<%= it.html %>]<% }) %><%~ x %><%= x %>',
  ),
  'a function for a fragment': page(
    "<%~ await it.cache(60, 'f', [], () => { it.rendered(); return '<p>' + it.html + '</p>'; }) %>",
  ),
  'a fragment shown escaped': page(
    "<%= await it.cache(60, 'f', [], () => (it.rendered(), it.html)) %>",
  ),
  'fragments side by side': page(
    "<% for (const w of it.words) { %><%~ await it.cache(60, 'f', [w], () => captureAsync(async () => { it.rendered() %><b><%= w %></b><% })) %>,<% } %>",
  ),
  'fragments in fragments': page(
    "<%~ await it.cache(60, 'all', [], () => captureAsync(async () => { it.rendered(); for (const row of it.rows) { %>\n<%~ await it.cache(60, 'row', [row.id], () => captureAsync(async () => { it.rendered() %><li><%= row.name %><% for (const tag of row.tags) { %> <%~ await it.cache(60, 'tag', [tag], () => (it.rendered(), includeAsync('./tag', { tag }))) %><% } %></li><% })) %>\n<% } })) %>",
    { 'tag.eta': '<i><%= it.tag %></i>' },
  ),
  'a fragment in an include': page("<header/><%~ await includeAsync('./nav') %>", {
    'nav.eta':
      "<nav><%~ await it.cache(60, 'nav', [], () => (it.rendered(), includeAsync('./links'))) %></nav>",
    'links.eta': '<% for (const w of it.words) { %><a><%= w %></a><% } %>',
  }),
  'a fragment in a layout': page("<% layout('./base', { title: 'T & T' }) %>\n<p>page</p>\n", {
    'base.eta':
      "<title><%= it.title %></title><%~ await it.cache(60, 'f', [], () => captureAsync(async () => { it.rendered() %><nav><%= it.html %></nav><% })) %><%~ it.body %>",
  }),
  'a fragment in a page with a layout': page(
    "<% layout('./base') %>a\n<%~ await it.cache(60, 'f', [], () => captureAsync(async () => { it.rendered() %>b <%= it.unicode %><% })) %>\nc",
    { 'base.eta': '<html><%~ it.body %></html>\n' },
  ),
  'a fragment in a block': page(
    "<% layout('./base') %><% await blockAsync('side', async () => { %>[<%~ await it.cache(60, 'f', [], () => captureAsync(async () => { it.rendered() %>b<%= it.html %><% })) %>]<% }) %>main",
    { 'base.eta': "<%~ await blockAsync('side') %>|<%~ it.body %>" },
  ),
};
