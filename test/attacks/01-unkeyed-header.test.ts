import { cachePage, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();

/** Headers that change what handlers answer, and that no visitor knows of. */
const HEADERS = [
  'X-Forwarded-Host',
  'X-Forwarded-Scheme',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Forwarded-Prefix',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-HTTP-Method-Override',
  'X-Host',
  'Forwarded',
];

describe.each(HEADERS)('%s, reflected by the handler', (name) => {
  const reflect = pageHandler(name.toLowerCase());

  test('leaves no trace in the page of a visitor without it', async () => {
    const { app, origin } = pageApp(reflect);
    await visit(app, '/page').set(name, 'evil').expect('value evil');
    await visit(app, '/page').expect('value none');
    await visit(app, '/page').expect('value none');
    await visit(app, '/page').set(name, 'other').expect('value other');
    expect(origin.calls).toBe(3);
  });

  test('leaves none behind cachePage() either', async () => {
    const origin = makeOrigin(reflect);
    const app = cachePage(60)(origin.handle) as never;
    await visit(app, '/page').set(name, 'evil').expect('value evil');
    await visit(app, '/page').expect('value none');
    expect(origin.calls).toBe(2);
  });
});

test('a header that was read only if another is there counts all the same', async () => {
  const { app } = pageApp((res, _call, req) => {
    const host = req.headers['x-forwarded-host'] ?? req.headers['x-host'] ?? 'none';
    res.end(`host ${host}`);
  });
  await visit(app, '/page').expect('host none');
  await visit(app, '/page').set('X-Host', 'evil').expect('host evil');
  await visit(app, '/page').set('X-Forwarded-Host', 'worse').expect('host worse');
  await visit(app, '/page').expect('host none');
});

test.each([
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Forwarded-Proto', 'gopher'],
])('%s, trusted by an app below the one with the cache, leaves no trace', async (name, value) => {
  const below = express().set('trust proxy', true);
  below.get('/page', (req, res) => res.end(`${req.protocol}://${req.hostname}`));
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.use('/below', below);
  await visit(app, '/below/page').set(name, value);
  await visit(app, '/below/page').expect('http://www.example.com');
});

function pageHandler(name: string) {
  return (
    res: import('node:http').ServerResponse,
    _call: number,
    req: import('node:http').IncomingMessage,
  ) => res.end(`value ${req.headers[name] ?? 'none'}`);
}
