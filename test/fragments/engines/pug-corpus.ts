import { pageOf, type ViewsPage } from './cached-views';

/** A page around one fragment of this text. */
function fragment(text: string, views = {}): ViewsPage {
  return page('main\n  h1= html\n  != side\n  footer', { 'side.pug': text, ...views }, ['side']);
}

function page(text: string, views: object, fragments: readonly string[]): ViewsPage {
  return pageOf('pug', text, views, fragments);
}

export const PUG_PAGES: Readonly<Record<string, ViewsPage>> = {
  'plain text': fragment('p Hello'),
  'an empty file': fragment(''),
  'white space alone': fragment('\n\n\n'),
  'a comment alone': fragment('//- nothing to see'),
  'code alone': fragment('- const x = 1'),
  'comments that are shown and not': fragment('// shown\n//- hidden\np a'),
  'escaped text': fragment('p= html'),
  'raw text': fragment('p!= html'),
  'text in text': fragment('p a #{html} b !{html} c'),
  Unicode: fragment('p= unicode\np ñ 漢 🎉'),
  'control characters': fragment('p= control'),
  'a byte order mark': fragment('\ufeffp= html'),
  'lines of Windows': fragment('ul\r\n  each w in words\r\n    li= w\r\n'),
  'line ends in data': fragment('pre!= crlf'),
  'backslashes and quotes': fragment(`p!= backslash\np \\ " ' \\#{x}`),
  'a block of text': fragment('p.\n  one <b>two</b>\n  three\n    four'),
  'piped text': fragment('p\n  | one\n  |  two \n  | #[em three] four'),
  'markup as it is': fragment('<p>\n  b x\n</p>'),
  'inline tags': fragment('p: a(href="#"): b= html'),
  attributes: fragment(`a(href='?a=1&b="2"' title=html data-json=json class=words)`),
  'raw attributes': fragment('a(title!=html)&attributes({ "data-x": unicode })'),
  'booleans as attributes': fragment('input(type="checkbox" checked=no disabled)/'),
  'a loop': fragment('each w, i in words\n  b= i + w'),
  'a loop in a loop': fragment(
    'each r in rows\n  h2= r.name\n  each t in r.tags\n    i= t\n  else\n    s none',
  ),
  'a loop over nothing': fragment('ul\n  each w in []\n    li= w\n  else\n    li none'),
  'a condition': fragment('if zero\n  p yes\nelse\n  p no\nunless no\n  p not'),
  'a case': fragment('case zero\n  when 1\n    p one\n  when 0\n    p zero'),
  'values that are nothing': fragment('p= nothing\np= locals.missing\np= undefined'),
  'numbers and booleans': fragment('p #{zero} #{no} #{-0.5} #{1e21}'),
  'a script': fragment('script.\n  const x = !{JSON.stringify(json)};'),
  'much text': fragment('p= long'),
  'a long template': fragment('p é #{zero}\n'.repeat(500)),
  'an include': fragment('p a\ninclude part', { 'part.pug': 'b= html' }),
  'an include of text': fragment('include part.txt', { 'part.txt': '<i>as it & is</i>\n' }),
  'includes in a loop': fragment('each row in rows\n  include rows/row', {
    'rows/row.pug': 'li= row.name\n  include tag',
    'rows/tag.pug': 'i= row.tags.length',
  }),
  'a mixin': fragment(
    'mixin card(title)\n  .card\n    h2= title\n    block\n+card(html)\n  p= unicode',
  ),
  'a fragment with a layout': fragment('extends base\nblock body\n  p= html', {
    'base.pug': 'section\n  block body\n  block foot\n    p foot',
  }),
  'a page with a layout': page(
    'extends base\nblock body\n  p a\n  != side',
    { 'base.pug': 'doctype html\nhtml\n  body\n    block body', 'side.pug': 'nav= html' },
    ['side'],
  ),
  'a doctype': fragment('doctype html\nhtml(lang="de")\n  img(src="a")\n  input(checked)'),
  'fragments side by side': page(
    'header!= top\nmain!= side\nfooter!= top',
    { 'top.pug': 'b= html', 'side.pug': 'each w in words\n  i= w' },
    ['top', 'side'],
  ),
};
