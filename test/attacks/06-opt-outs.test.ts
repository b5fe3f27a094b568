import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();

const OPT_OUTS: (string | string[])[] = [
  'private',
  'PRIVATE',
  'no-store',
  'No-Store',
  'no-cache',
  'NO-CACHE',
  'max-age=600, private',
  'public, max-age=600, no-store',
  'max-age=600,no-cache',
  ['max-age=600', 'no-store'],
  ['private', 'public, max-age=600'],
  'private="Set-Cookie"',
  'no-cache="Set-Cookie, X-Token"',
  'private="X-A, X-B", max-age=600',
  'max-age=600, no-cache="X-A"',
  'private=',
  'no-store=true',
  'no-store = 1',
  ' no-store ',
  ',,no-store,,',
  '\tprivate\t,max-age=600',
  'ext="a, b", private',
  'ext="a \\" b", no-store',
  'ext="never closed, no-store',
  'ext="a"b", private',
  'ext=", private',
  'max-age="600, private',
  'private; max-age=600',
  'max-age=600; private',
  'public;no-store',
  'max-age=600 no-cache',
  '"private"',
];

test.each(OPT_OUTS)('%j is never sent to a second visitor', async (value) => {
  const { app, origin } = pageApp((res, call) => {
    res.setHeader('Cache-Control', value);
    res.end(`for visitor ${call}`);
  });
  for (const visitor of [1, 2, 3]) await visit(app, '/page').expect(`for visitor ${visitor}`);
  expect(origin.calls).toBe(3);
});

test.each(OPT_OUTS)('%j counts when HEAD brings it', async (value) => {
  const { app, origin } = pageApp((res) => {
    res.setHeader('Cache-Control', value);
    res.end();
  });
  await visit(app, '/page', 'head');
  await visit(app, '/page', 'head');
  expect(origin.calls).toBe(2);
});

test('an opt-out that comes after a page was stored ends it with its lifetime', async () => {
  const { app } = pageApp((res, call) => {
    res.setHeader('Vary', 'Cookie');
    if (call > 1) res.setHeader('Cache-Control', 'private');
    res.end(`for visitor ${call}`);
  });
  await visit(app, '/page').expect('for visitor 1');
  // Another visitor's private page neither replaces the public one nor is kept.
  await visit(app, '/page').set('Cookie', 'sid=1').expect('for visitor 2');
  await visit(app, '/page').set('Cookie', 'sid=1').expect('for visitor 3');
  await visit(app, '/page').expect('for visitor 1');
});
