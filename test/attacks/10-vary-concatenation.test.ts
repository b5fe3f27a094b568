import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();

const echoApp = (vary: string) =>
  pageApp((res, _call, req) => {
    res.setHeader('Vary', vary);
    const { 'x-a': a, 'x-b': b, cookie } = req.headers;
    res.end(JSON.stringify({ a, b, cookie }));
  });

type Sent = Readonly<Record<string, string>>;

test.each<[Sent, Sent]>([
  [
    { 'X-A': '1', 'X-B': '23' },
    { 'X-A': '12', 'X-B': '3' },
  ],
  [{ 'X-A': '1' }, { 'X-B': '1' }],
  [
    { 'X-A': '', 'X-B': '1' },
    { 'X-A': '1', 'X-B': '' },
  ],
  [{ 'X-A': '' }, {}],
  [{ 'X-A': '', 'X-B': '' }, { 'X-A': '' }],
  [{ 'X-A': '13:x-b1:2' }, { 'X-A': '1', 'X-B': '2' }],
  [{ 'X-A': '1x-b2' }, { 'X-A': '1', 'X-B': '2' }],
  [{ 'X-A': '1,2' }, { 'X-A': '1', 'X-B': '2' }],
  [{ 'X-A': 'x-b' }, { 'X-B': 'x-a' }],
  [{ 'X-A': '1;X-B=2' }, { 'X-A': '1', 'X-B': '2' }],
  [{ 'X-A': 'undefined' }, {}],
  [{ 'X-A': '\u00e9' }, { 'X-A': 'e' }],
])('%j gets its own page, and %j another', async (one, other) => {
  const { app } = echoApp('X-A, X-B');
  const expected = (sent: Sent) => JSON.stringify({ a: sent['X-A'], b: sent['X-B'] });
  for (const _visit of [1, 2]) {
    for (const sent of [one, other]) {
      const { text } = await visit(app, '/page').set(sent);
      expect(Buffer.from(text).toString()).toBe(expected(sent));
    }
  }
});

test('cookies are not run together with another header', async () => {
  const { app } = echoApp('Cookie, X-A');
  for (const _visit of [1, 2]) {
    await visit(app, '/page').set('Cookie', 'sid=1').expect('{"cookie":"sid=1"}');
    await visit(app, '/page')
      .set({ Cookie: 'sid=', 'X-A': '1' })
      .expect('{"a":"1","cookie":"sid="}');
  }
});

test('a variant is not the page of the header’s absence', async () => {
  const { app } = echoApp('X-A');
  await visit(app, '/page').set('X-A', 'evil').expect('{"a":"evil"}');
  await visit(app, '/page').expect('{}');
  await visit(app, '/page').set('X-A', 'evil').expect('{"a":"evil"}');
});
