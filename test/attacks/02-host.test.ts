import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp2 } from '../support/http-client';
import { pageApp } from '../support/page-app';
import { bodiesIn, lastLines, type RawSite, serveRaw } from '../support/raw-client';
import { settled } from '../support/settled';

freshCaches();

/** A page that links to itself by the host it was asked by. */
function linkingApp() {
  return pageApp((res, _call, req) => {
    const body = `<link rel=canonical href="http://${req.headers.host}${req.url}">`;
    res.setHeader('Content-Length', Buffer.byteLength(body));
    res.end(body);
  });
}

const VICTIM = '<link rel=canonical href="http://www.example.com/page">';

test.each([
  'evil.example',
  'www.example.com:1337',
  'www.example.com:80',
  'WWW.EXAMPLE.COM',
  'www.example.com.',
  'www.example.com.evil.example',
  'www.example.com@evil.example',
  '[::1]',
])('a page asked for by the host %s is nobody else’s', async (host) => {
  const { app } = linkingApp();
  await request(app).get('/page').set('Host', host);
  await request(app).get('/page').set('Host', 'www.example.com').expect(VICTIM);
  await request(app).get('/page').set('Host', host);
  await request(app).get('/page').set('Host', 'www.example.com').expect(VICTIM);
});

test('a Host that is read beside the forwarded one reaches nobody else', async () => {
  const app = express().set('trust proxy', true);
  app.use(updateCache(), fetchFromCache());
  app.get('/page', (req, res) => res.end(`${req.hostname} ${req.headers.host}`));
  const forwarded = () => request(app).get('/page').set('X-Forwarded-Host', 'www.example.com');
  await forwarded().set('Host', 'evil.example');
  await request(app)
    .get('/page')
    .set('Host', 'www.example.com')
    .expect('www.example.com www.example.com');
});

test('on HTTP/2, neither a Host nor a scheme of the client’s invention reaches others', async () => {
  const pair = [updateCache(), fetchFromCache()] as const;
  const site = await serveHttp2((req, res) =>
    pair[0](req, res, () =>
      pair[1](req, res, () => res.end(`${req.scheme}://${req.headers.host ?? req.authority}`)),
    ),
  );
  const get = async (headers: Record<string, string>) => {
    const { body } = await site.get('/page', { ':authority': 'www.example.com', ...headers });
    await settled();
    return body.toString();
  };
  try {
    await get({ host: 'evil.example' });
    expect(await get({})).toBe('http://www.example.com');
    expect(await get({ host: 'www.example.com' })).toBe('http://www.example.com');
    await get({ ':authority': 'other.example', ':scheme': 'gopher' });
    expect(await get({ ':authority': 'other.example' })).toBe('http://other.example');
  } finally {
    await site.close();
  }
});

describe('sent as bytes', () => {
  let site: RawSite;
  afterEach(() => site.close());

  /** What the victim gets after the attacker has had two tries. */
  async function victimAfter(attack: readonly string[], target = '/page') {
    const { app, origin } = linkingApp();
    site = await serveRaw(app);
    for (const _try of [1, 2]) {
      await site.exchange(lastLines(...attack));
      await settled();
    }
    const callsOfAttack = origin.calls;
    const victim = lastLines(`GET ${target} HTTP/1.1`, 'Host: www.example.com');
    const [body] = bodiesIn(await site.exchange(victim), ['GET']);
    return { body, callsOfAttack };
  }

  test('a target with a host of its own is answered, but never from the cache', async () => {
    const { body, callsOfAttack } = await victimAfter([
      'GET http://evil.example/page HTTP/1.1',
      'Host: www.example.com',
    ]);
    expect(body).toBe(VICTIM);
    expect(callsOfAttack).toBe(2);
  });

  test.each([
    ['with the host of the site, and another Host', 'http://www.example.com/page', 'evil.example'],
    ['with half of it', '/page', 'evil.example\\@www.example.com'],
  ])('a target %s', async (_how, target, host) => {
    const { body } = await victimAfter([`GET ${target} HTTP/1.1`, `Host: ${host}`]);
    expect(body).toBe(VICTIM);
  });

  test.each([
    ['a path', 'www.example.com/a', '/page', '/a/page'],
    ['a query', 'www.example.com/page?', '/x', '/page?/x'],
    ['half a path', 'www.example.com//', '/page', '///page'],
  ])('%s in Host does not make the URL of another', async (_what, host, target, victims) => {
    const { body, callsOfAttack } = await victimAfter(
      [`GET ${target} HTTP/1.1`, `Host: ${host}`],
      victims,
    );
    expect(body).toBe(`<link rel=canonical href="http://www.example.com${victims}">`);
    expect(callsOfAttack).toBe(2);
  });

  test('two Host lines', async () => {
    // Handlers are shown the first.
    const attack = ['GET /page HTTP/1.1', 'Host: evil.example', 'Host: www.example.com'];
    expect((await victimAfter(attack)).body).toBe(VICTIM);
  });

  test.each([
    ['no Host', ['GET /page HTTP/1.0']],
    ['an empty Host', ['GET /page HTTP/1.1', 'Host: ']],
  ])('%s is answered, but never from the cache', async (_what, attack) => {
    const { body, callsOfAttack } = await victimAfter(attack);
    expect(body).toBe(VICTIM);
    expect(callsOfAttack).toBe(2);
  });
});
