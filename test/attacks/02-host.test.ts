import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
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

describe('sent as bytes', () => {
  let site: RawSite;
  afterEach(() => site.close());

  /** What the victim gets after the attacker has had two tries. */
  async function victimAfter(...attack: string[]) {
    const { app, origin } = linkingApp();
    site = await serveRaw(app);
    for (const _try of [1, 2]) {
      await site.exchange(lastLines(...attack));
      await settled();
    }
    const callsOfAttack = origin.calls;
    const answer = await site.exchange(lastLines('GET /page HTTP/1.1', 'Host: www.example.com'));
    return { body: bodiesIn(answer, ['GET'])[0], callsOfAttack };
  }

  test('a target with a host of its own is answered, but never from the cache', async () => {
    const { body, callsOfAttack } = await victimAfter(
      'GET http://evil.example/page HTTP/1.1',
      'Host: www.example.com',
    );
    expect(body).toBe(VICTIM);
    expect(callsOfAttack).toBe(2);
  });

  test('a target with the host of the site, and another Host', async () => {
    const { body } = await victimAfter(
      'GET http://www.example.com/page HTTP/1.1',
      'Host: evil.example',
    );
    expect(body).toBe(VICTIM);
  });

  test.each([
    ['in host and path', 'GET e HTTP/1.1', 'Host: www.example.com/pag'],
    ['in path alone', 'GET /e HTTP/1.1', 'Host: www.example.com/pag'],
    ['in a query', 'GET /page HTTP/1.1', 'Host: www.example.com/page?'],
    ['in a fragment', 'GET /page HTTP/1.1', 'Host: www.example.com/page#'],
    ['in user information', 'GET /page HTTP/1.1', 'Host: evil.example\\@www.example.com'],
  ])('a URL of the victim put together %s', async (_how, ...attack) => {
    expect((await victimAfter(...attack)).body).toBe(VICTIM);
  });

  test('two Host lines', async () => {
    const attack = ['GET /page HTTP/1.1', 'Host: www.example.com', 'Host: evil.example'];
    expect((await victimAfter(...attack)).body).toBe(VICTIM);
  });

  test.each([
    ['no Host', 'GET /page HTTP/1.0'],
    ['an empty Host', 'GET /page HTTP/1.1', 'Host: '],
  ])('%s is answered, but never from the cache', async (_what, ...attack) => {
    const { body, callsOfAttack } = await victimAfter(...attack);
    expect(body).toBe(VICTIM);
    expect(callsOfAttack).toBe(2);
  });
});
