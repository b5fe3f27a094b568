import { caches, fetchFromCache, updateCache } from 'cachewright';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches({ bytes: { backend: ByteCache, location: 'update-fetch' } });
const clock = stopClock();

const bytes = () => caches.bytes as unknown as ByteCache;

describeEachStack((build) => {
  test('a page is made once and then sent again as it was (PAGE-04)', async () => {
    const origin = makeOrigin((res, call) => {
      res.setHeader('Content-Type', 'text/plain; charset=utf-8');
      res.setHeader('Last-Modified', 'Mon, 05 Jan 2026 11:00:00 GMT');
      res.setHeader('ETag', '"v1"');
      res.setHeader('X-Call', String(call));
      res.end(`grüße ${call}`);
    });
    const app = build([updateCache(), fetchFromCache(), origin.handle]);
    const miss = await visit(app, '/page?a=1').expect(200);
    clock.advance(5);
    const hit = await visit(app, '/page?a=1').expect(200);

    expect(origin.calls).toBe(1);
    expect(hit.text).toBe('grüße 1');
    const { age, ...fields } = hit.headers;
    expect(age).toBe('5');
    // Node's own, of the connection.
    expect({ ...fields, connection: miss.headers.connection }).toEqual(miss.headers);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s passes through: nothing read, stored or patched (PAGE-02)',
    async (method) => {
      const origin = makeOrigin();
      const app = build([
        updateCache({ cache: 'bytes' }),
        fetchFromCache(),
        { path: '/page', steps: [origin.handle] },
      ]);
      for (const call of [1, 2]) {
        const response = await visit(app, '/page', method.toLowerCase() as 'post').expect(200);
        expect(response.headers).not.toHaveProperty('expires');
        expect(response.headers).not.toHaveProperty('cache-control');
        expect(origin.calls).toBe(call);
      }
      await settled();
      expect(bytes().tally).toEqual({ reads: 0, writes: 0 });
      await visit(app, '/page').expect('page 3');
    },
  );

  test('updateCache() without fetchFromCache() stores and patches nothing (PAGE-03)', async () => {
    const origin = makeOrigin();
    const app = build([updateCache({ cache: 'bytes' }), origin.handle]);
    for (const call of [1, 2]) {
      const response = await visit(app, '/page').expect(`page ${call}`);
      expect(response.headers).not.toHaveProperty('expires');
      expect(response.headers).not.toHaveProperty('cache-control');
    }
    await settled();
    expect(bytes().tally).toEqual({ reads: 0, writes: 0 });
  });

  test('what stands between the pair has its say before the page is stored (PAGE-01)', async () => {
    const origin = makeOrigin();
    let seen = 0;
    const app = build([
      updateCache(),
      (_req, res, next) => {
        seen += 1;
        const end = res.end.bind(res) as (body: string) => typeof res;
        const { writeHead } = res;
        res.writeHead = ((...args: never[]) => {
          res.setHeader('X-Seen', String(seen));
          return writeHead.apply(res, args as never);
        }) as typeof res.writeHead;
        // As compression does: another body, and a header that says what it depends on.
        res.end = ((body: string) => {
          if (res.headersSent) return end(body);
          res.setHeader('Content-Encoding', 'x-loud');
          res.setHeader('Vary', 'X-Loud');
          return end(body.toUpperCase());
        }) as typeof res.end;
        next();
      },
      fetchFromCache(),
      origin.handle,
    ]);
    const miss = await visit(app, '/page').expect('PAGE 1');
    const hit = await visit(app, '/page').expect(200);
    expect(hit.body).toEqual(miss.body);
    expect(hit.headers).toMatchObject({
      'content-encoding': 'x-loud',
      vary: 'X-Loud',
      age: expect.any(String),
    });
    // A field of its own, it puts on each response (PAGE-61).
    expect([miss.headers['x-seen'], hit.headers['x-seen']]).toEqual(['1', '2']);
    await visit(app, '/page').set('X-Loud', 'no').expect('PAGE 2');
    expect([origin.calls, seen]).toEqual([2, 3]);
  });

  test('fetchFromCache() without updateCache() lets requests pass and says so once', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation();
    try {
      const origin = makeOrigin();
      const app = build([fetchFromCache(), origin.handle]);
      await visit(app, '/page').expect('page 1');
      await visit(app, '/page').expect('page 2');
      const codes = emitWarning.mock.calls.map(
        ([, options]) => (options as { code?: string })?.code,
      );
      expect(codes.filter((code) => code === 'CACHEWRIGHT_ORDER')).toHaveLength(1);
    } finally {
      emitWarning.mockRestore();
    }
  });

  test('a page that is rendered later is stored once its body is final (PAGE-55)', async () => {
    const origin = makeOrigin(async (res, call) => {
      res.setHeader('X-Early', 'yes');
      await new Promise((resolve) => setImmediate(resolve));
      res.end(`rendered ${call}`);
    });
    const app = build([updateCache(), fetchFromCache(), origin.handle]);
    await visit(app, '/page').expect('rendered 1').expect('X-Early', 'yes');
    await visit(app, '/page').expect('rendered 1').expect('X-Early', 'yes');
    expect(origin.calls).toBe(1);
  });
});

test('a hit is neither stored nor patched again (PAGE-04)', async () => {
  const { app, origin } = pageApp(undefined, { options: { cache: 'bytes', seconds: 10 } });
  const miss = await visit(app, '/page');
  await settled();
  expect(bytes().tally).toEqual({ reads: 1, writes: 1 });
  clock.advance(9);
  const hit = await visit(app, '/page').expect('page 1');
  await settled();
  expect(bytes().tally).toEqual({ reads: 2, writes: 1 });
  expect(hit.headers.expires).toBe(miss.headers.expires);
  clock.advance(1);
  await visit(app, '/page').expect('page 2');
  expect(origin.calls).toBe(2);
});

test('a response from one cache that passes another is stored with its body and cookies (PAGE-06)', async () => {
  const upstream = pageApp(
    (res, call) => {
      res.setHeader('Set-Cookie', ['lang=de; Path=/', 'theme=dark']);
      res.end(`page ${call}`);
    },
    { options: { storeCookies: true } },
  );
  await visit(upstream.app, '/page');
  clock.advance(7);
  const gateway = pageApp(
    async (res) => {
      const answer = await visit(upstream.app, '/page');
      for (const name of ['set-cookie', 'age', 'expires', 'cache-control', 'date']) {
        res.setHeader(name, answer.headers[name]!);
      }
      res.end(answer.text);
    },
    { options: { storeCookies: true, keyPrefix: 'gateway' } },
  );
  const first = await visit(gateway.app, '/page').expect('page 1').expect('Age', '7');
  clock.advance(3);
  const second = await visit(gateway.app, '/page').expect('page 1').expect('Age', '10');
  expect(second.headers['set-cookie']).toEqual(['lang=de; Path=/', 'theme=dark']);
  expect(second.headers['set-cookie']).toEqual(first.headers['set-cookie']);
  expect([upstream.origin.calls, gateway.origin.calls]).toEqual([1, 1]);
});

test('validators are replayed and none is invented (PAGE-23)', async () => {
  const plain = pageApp();
  for (const _visit of [1, 2]) {
    const { headers } = await visit(plain.app, '/plain').expect('page 1');
    expect(headers).not.toHaveProperty('etag');
    expect(headers).not.toHaveProperty('last-modified');
  }
  const own = pageApp((res) => {
    res.setHeader('ETag', 'W/"own"');
    res.setHeader('Last-Modified', 'Mon, 05 Jan 2026 11:00:00 GMT');
    res.end();
  });
  await visit(own.app, '/own');
  const { headers } = await visit(own.app, '/own');
  expect(own.origin.calls).toBe(1);
  expect(headers).toMatchObject({
    etag: 'W/"own"',
    'last-modified': 'Mon, 05 Jan 2026 11:00:00 GMT',
  });
});

test('every concurrent miss gets a whole page, and later visitors get one of those (PAGE-53)', async () => {
  const { app, origin } = pageApp(async (res, call) => {
    await new Promise((resolve) => setImmediate(resolve));
    res.end(`page ${call}`);
  });
  const visits = await Promise.all([1, 2, 3].map(() => visit(app, '/page').expect(200)));
  const bodies = visits.map(({ text }) => text);
  for (const body of bodies) expect(body).toMatch(/^page [123]$/);
  const { calls } = origin;
  const later = await visit(app, '/page');
  expect(bodies).toContain(later.text);
  expect(origin.calls).toBe(calls);
});
