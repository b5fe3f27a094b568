import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();
stopClock();

/** Something else first, and then the page. */
const atFirst =
  (first: Respond): Respond =>
  (res, call, req) =>
    call === 1 ? first(res, call, req) : res.end('the page');

const FIRST: Record<string, [number, Respond]> = {
  'a 500': [500, (res) => res.writeHead(500).end('sorry')],
  'a 500 that looks cacheable': [
    500,
    (res) => res.writeHead(500, { 'Cache-Control': 'public, max-age=600' }).end('sorry'),
  ],
  'a 503 with Retry-After': [503, (res) => res.writeHead(503, { 'Retry-After': '60' }).end()],
  'an exception': [
    500,
    () => {
      throw new Error('lost the database');
    },
  ],
  'an exception after headers were set': [
    500,
    (res) => {
      res.setHeader('Cache-Control', 'max-age=600');
      res.statusCode = 200;
      throw new Error('lost the database');
    },
  ],
  'a 404': [404, (res) => res.writeHead(404).end('no such page')],
  'a 410': [410, (res) => res.writeHead(410).end()],
  'a 405': [405, (res) => res.writeHead(405, { Allow: 'POST' }).end()],
  'a 414': [414, (res) => res.writeHead(414).end()],
  'a 400': [400, (res) => res.writeHead(400).end()],
  'a 401': [401, (res) => res.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end()],
  'a 403': [403, (res) => res.writeHead(403).end()],
  'a 302 to the login': [302, (res) => res.writeHead(302, { Location: '/login' }).end()],
  'a 301': [301, (res) => res.writeHead(301, { Location: '/elsewhere' }).end()],
  'a 204': [204, (res) => res.writeHead(204).end()],
};

test.each(Object.entries(FIRST))('%s is not stored in place of the page', async (_what, first) => {
  const [status, respond] = first;
  const { app } = pageApp(atFirst(respond));
  const { headers } = await visit(app, '/page').redirects(0).expect(status);
  expect(headers).not.toHaveProperty('expires');
  await visit(app, '/page').expect(200, 'the page');
  await visit(app, '/page').expect(200, 'the page').expect('Age', /^\d+$/);
});

test.each(Object.entries(FIRST))('%s by HEAD is not stored either', async (_what, first) => {
  const [status, respond] = first;
  const { app } = pageApp(atFirst(respond));
  await visit(app, '/page', 'head').redirects(0).expect(status);
  await visit(app, '/page', 'head').expect(200);
  await visit(app, '/page').expect(200, 'the page');
});

test.each(Object.entries(FIRST))(
  '%s later does not replace a stored page',
  async (_what, first) => {
    const [status, respond] = first;
    const { app } = pageApp((res, call, req) => {
      // Without the list of what the page varies on, the error would be stored where all look first.
      if (call > 1) return respond(res, call, req);
      res.setHeader('Vary', 'X-Broken');
      return res.end('the page');
    });
    await visit(app, '/page').expect(200, 'the page');
    for (const _try of [1, 2]) {
      await visit(app, '/page').set('X-Broken', '1').redirects(0).expect(status);
    }
    await visit(app, '/page').expect(200, 'the page').expect('Age', /^\d+$/);
  },
);
