import { type CorpusPage, LOCALS } from './corpus';

/** A page around one fragment of this text. */
function fragment(text: string, views = {}): CorpusPage {
  return {
    views: {
      'page.ejs':
        "<main>\n<%- await cache(60, 'f', [], () => (rendered(), include('fragment'))) %>\n</main>\n",
      'fragment.ejs': text,
      ...views,
    },
    locals: LOCALS,
  };
}

function page(text: string, views = {}): CorpusPage {
  return { views: { 'page.ejs': text, ...views }, locals: LOCALS };
}

export const EJS_PAGES: Readonly<Record<string, CorpusPage>> = {
  'plain text': fragment('<p>Hello</p>'),
  'an empty file': fragment(''),
  'white space alone': fragment(' \t\n\n  '),
  'a comment alone': fragment('<%# nothing to see %>'),
  'code alone': fragment('<% const x = 1 %>'),
  'a comment in a line': fragment('a <%# b %> c\n<!-- d -->\n'),
  'escaped text': fragment('<%= html %>'),
  'raw text': fragment('<%- html %>'),
  'escaped twice': fragment('<%= escapeFn(html) %>'),
  Unicode: fragment('<%= unicode %> | <%- unicode %> ñ 漢 🎉'),
  'control characters': fragment('<%= control %>\u0000\u000b'),
  'a byte order mark': fragment('\ufeffa<%= html %>'),
  'lines of Windows': fragment(
    '<ul>\r\n<% for (const w of words) { -%>\r\n<li><%= w %></li>\r\n<% } -%>\r\n</ul>\r\n',
  ),
  'line ends of all kinds': fragment('a\rb\nc\r\n<%- crlf %>\r'),
  'backslashes and quotes': fragment(`<%- backslash %>  \n " ' \` \${x}`),
  'line ends cut': fragment('a\n<% if (true) { -%>\nb\n<% } -%>\nc\n'),
  'white space slurped': fragment('a\n   <%_ if (true) { _%>   \n  b\n   <%_ } _%>  \nc\n'),
  'tags as text': fragment('<%% not a tag %%> <%%= nor this %>'),
  'a loop': fragment('<% words.forEach((w, i) => { %><%= i %>:<%= w %>;<% }) %>'),
  'a loop in a loop': fragment(
    '<% for (const r of rows) { %>\n<h2><%= r.name %></h2>\n<% for (const t of r.tags) { %> <i><%= t %></i><% } %>\n<% } %>',
  ),
  'a loop over nothing': fragment('<ul><% for (const w of []) { %><li><%= w %></li><% } %></ul>'),
  'a condition': fragment('<% if (zero) { %>yes<% } else { %>no<% } %>'),
  'values that are nothing': fragment(
    '[<%= nothing %>][<%= undefined %>][<%- nothing %>][<%= locals.missing %>]',
  ),
  'numbers and booleans': fragment('<%= zero %> <%= no %> <%= -0.5 %> <%= 1e21 %>'),
  'a script': fragment(
    '<script>const x = <%- JSON.stringify(json).replace(/</g, "\\\\u003c") %>;</script>',
  ),
  'much text': fragment('<%= long %>'),
  'a long template': fragment('<p>é <%= zero %></p>\n'.repeat(2000)),
  'an include': fragment("a <%- await include('part') %> b", { 'part.ejs': '<%= html %>\n' }),
  'an include with data': fragment("<%- await include('part', { html: 'other & more' }) %>", {
    'part.ejs': '[<%= html %>]',
  }),
  'includes in a loop': fragment(
    "<% for (const row of rows) { -%>\n<%- await include('rows/row', { row }) -%>\n<% } -%>",
    {
      'rows/row.ejs': "<li><%= row.name %> <%- await include('tag', row) %></li>",
      'rows/tag.ejs': '<%= tags.length %>',
    },
  ),
  'code that waits': fragment('<% const x = await Promise.resolve("<x>") %><%= x %>'),
  'a function for a fragment': page(
    "<%- await cache(60, 'f', [], () => { rendered(); return '<p>' + html + '</p>'; }) %>",
  ),
  'a fragment shown escaped': page("<%= await cache(60, 'f', [], () => (rendered(), html)) %>"),
  'fragments side by side': page(
    "<% for (const w of words) { %><%- await cache(60, 'f', [w], () => (rendered(), include('fragment', { w }))) %>,<% } %>",
    { 'fragment.ejs': '<b><%= w %></b>' },
  ),
  'fragments in fragments': page(
    "<%- await cache(60, 'all', [], () => (rendered(), include('rows'))) %>",
    {
      'rows.ejs':
        "<% for (const row of rows) { -%>\n<%- await cache(60, 'row', [row.id], () => (rendered(), include('row', { row }))) %>\n<% } -%>",
      'row.ejs':
        "<li><%= row.name %><% for (const tag of row.tags) { %> <%- await cache(60, 'tag', [tag], () => (rendered(), include('tag', { tag }))) %><% } %></li>",
      'tag.ejs': '<i><%= tag %></i>',
    },
  ),
  'a fragment in an include': page("<header/><%- await include('nav') %>", {
    'nav.ejs': "<nav><%- await cache(60, 'nav', [], () => (rendered(), include('links'))) %></nav>",
    'links.ejs': '<% for (const w of words) { %><a><%= w %></a><% } %>',
  }),
  'head and foot around it': page(
    "<%- await include('head', { title: 'T & T' }) %><%- await cache(60, 'f', [], () => (rendered(), include('body'))) %><%- await include('foot') %>",
    {
      'head.ejs': '<title><%= title %></title>\n',
      'body.ejs': '<%= unicode %>\n',
      'foot.ejs': '</html>',
    },
  ),
  'a page that is one fragment': page(
    "<%- await cache(60, 'f', [], () => (rendered(), include('all'))) -%>\n",
    {
      'all.ejs': '<!doctype html>\n<html lang="de"><%= html %></html>\n',
    },
  ),
};
