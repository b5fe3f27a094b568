import compression from 'compression';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1 } from '../support/http-client';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { tempDirectories } from '../support/temp-directory';
import { visit } from '../support/visit';
import { watchWrites } from '../support/watch-writes';

const tempDirectory = tempDirectories();
freshCaches({ files: { backend: 'file', location: tempDirectory() } });
const clock = stopClock();
const written = watchWrites('files');

const PAGE = '0123456789abcdefghij';
const MODIFIED = 'Mon, 05 Jan 2026 11:00:00 GMT';

const respond: Respond = (res) => {
  res.setHeader('Content-Type', 'text/plain');
  res.setHeader('ETag', '"v1"');
  res.setHeader('Last-Modified', MODIFIED);
  res.setHeader('X-Extra', 'kept');
  res.end(PAGE);
};

/** A page that is in the cache already. */
async function stored(answer: Respond = respond, cache = 'default') {
  const { app, origin } = pageApp(answer, { options: { cache, seconds: 100 } });
  await visit(app, '/page').expect(200, PAGE);
  await written();
  const part = (range: string, headers: Record<string, string> = {}) =>
    visit(app, '/page').set({ Range: range, ...headers });
  return { app, origin, part };
}

describe.each(['default', 'files'])('a part of a page in the cache %s', (cache) => {
  test.each([
    ['bytes=0-0', '0', '0-0'],
    ['bytes=5-9', '56789', '5-9'],
    ['bytes=15-', 'fghij', '15-19'],
    ['bytes=-3', 'hij', '17-19'],
    ['bytes=-99', PAGE, '0-19'],
    ['bytes=0-99', PAGE, '0-19'],
    ['bytes=18-18,99-', 'i', '18-18'],
    ['Bytes=1-2', '12', '1-2'],
  ])('%s is %s (RFC 9110 §15.3.7)', async (range, body, contentRange) => {
    const { origin, part } = await stored(respond, cache);
    clock.advance(7);
    const { headers } = await part(range).expect(206, body);
    expect(headers).toMatchObject({
      'content-range': `bytes ${contentRange}/20`,
      'content-length': String(body.length),
      'content-type': 'text/plain',
      etag: '"v1"',
      'last-modified': MODIFIED,
      'x-extra': 'kept',
      age: '7',
    });
    expect(headers.date).toBe(new Date(clock.now() - 7000).toUTCString());
    expect(origin.calls).toBe(1);
  });
});

test('several parts come one after the other, each with its place (RFC 9110 §14.6)', async () => {
  const { part } = await stored();
  const { headers, text } = await part('bytes=0-1, 18-, 5-5')
    .buffer(true)
    .parse((res, done) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => {
        (res as unknown as { text: string }).text = Buffer.concat(chunks).toString();
        done(null, undefined);
      });
    })
    .expect(206);
  const boundary = /^multipart\/byteranges; boundary=([\da-f]{24})$/.exec(
    headers['content-type'] ?? '',
  )?.[1];
  expect(boundary).toBeDefined();
  expect(headers).not.toHaveProperty('content-range');
  const piece = (place: string, body: string) =>
    `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${place}/20\r\n\r\n${body}`;
  const whole = `${piece('0-1', '01')}${piece('18-19', 'ij')}${piece('5-5', '5')}\r\n--${boundary}--\r\n`;
  expect(text).toBe(whole);
  expect(headers['content-length']).toBe(String(whole.length));
});

test('a boundary is new each time, so that no page can have it in it', async () => {
  const { part } = await stored();
  const types = await Promise.all(
    [1, 2].map(async () => (await part('bytes=0-0,2-2').expect(206)).headers['content-type']),
  );
  expect(types[0]).not.toBe(types[1]);
});

test.each(['bytes=20-', 'bytes=99-100', 'bytes=-0', 'bytes=20-,30-'])(
  '%s is beyond the page: 416, with its length (RFC 9110 §15.5.17)',
  async (range) => {
    const { app, part } = await stored();
    const { headers, text } = await part(range).expect(416);
    expect(headers['content-range']).toBe('bytes */20');
    expect(headers['content-length']).toBe('0');
    expect(headers).not.toHaveProperty('etag');
    expect(text).toBe('');
    await visit(app, '/page').expect(200, PAGE);
  },
);

test.each([
  ['no unit of bytes', 'lines=0-1'],
  ['out of order', 'bytes=5-2'],
  ['no numbers', 'bytes=a-b'],
  ['overlapping', 'bytes=0-5,3-7'],
  ['the same twice', 'bytes=0-0,0-0'],
  ['seventeen', `bytes=${Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join()}`],
])('ranges that are %s are ignored (RFC 9110 §14.2)', async (_what, range) => {
  const { part } = await stored();
  const { headers } = await part(range).expect(200, PAGE);
  expect(headers).not.toHaveProperty('content-range');
});

test('sixteen ranges are as many as anybody gets', async () => {
  const { part } = await stored();
  const sixteen = Array.from({ length: 16 }, (_, i) => `${i}-${i}`).join();
  const { headers } = await part(`bytes=${sixteen}`).expect(206);
  expect(headers['content-type']).toMatch(/^multipart/);
});

describe('If-Range (RFC 9110 §13.1.5)', () => {
  test.each([
    ['the tag of the page', '"v1"', 206],
    ['another tag', '"v0"', 200],
    ['a weak tag', 'W/"v1"', 200],
    ['its date', MODIFIED, 206],
    ['an older date', 'Mon, 05 Jan 2026 10:00:00 GMT', 200],
    ['a newer date', 'Mon, 05 Jan 2026 11:30:00 GMT', 200],
    ['nonsense', 'v1', 200],
  ])('with %s', async (_what, ifRange, status) => {
    const { part } = await stored();
    await part('bytes=0-1', { 'If-Range': ifRange }).expect(status, status === 206 ? '01' : PAGE);
  });

  test('never holds for a page whose own tag is weak', async () => {
    const { part } = await stored((res) => {
      res.setHeader('ETag', 'W/"v1"');
      res.end(PAGE);
    });
    await part('bytes=0-1', { 'If-Range': 'W/"v1"' }).expect(200, PAGE);
  });
});

test('conditions go before ranges (RFC 9110 §13.2.2)', async () => {
  const { part } = await stored();
  await part('bytes=0-1', { 'If-None-Match': '"v1"' }).expect(304);
  await part('bytes=0-1', { 'If-None-Match': '"v0"' }).expect(206, '01');
  await part('bytes=0-1', { 'If-Modified-Since': MODIFIED }).expect(304);
});

test('HEAD has no parts (RFC 9110 §14.2)', async () => {
  const { app } = await stored();
  const { headers } = await visit(app, '/page', 'head').set('Range', 'bytes=0-1').expect(200);
  expect(headers['content-length']).toBe('20');
  expect(headers).not.toHaveProperty('content-range');
});

test('a part that is asked for first is up to the app; the whole page it sends is stored (D4)', async () => {
  const seen: unknown[] = [];
  const { app, origin } = pageApp((res, call, req) => {
    seen.push(req.headers.range);
    return respond(res, call, req);
  });
  await visit(app, '/page').set('Range', 'bytes=0-1').expect(200, PAGE);
  await visit(app, '/page').set('Range', 'bytes=0-1').expect(206, '01');
  await visit(app, '/page').expect(200, PAGE);
  expect(origin.calls).toBe(1);
  expect(seen).toEqual(['bytes=0-1']);
});

test('a part that the app sends is as without the cache, until the whole is stored (D4)', async () => {
  const seen: unknown[] = [];
  const { app } = pageApp((res, call, req) => {
    const { range } = req.headers;
    seen.push(range);
    if (range === undefined) return respond(res, call, req);
    res.statusCode = 206;
    res.setHeader('Content-Range', 'bytes 0-1/20');
    res.setHeader('X-Part', 'yes');
    res.end('01');
  });
  const part = () => visit(app, '/page').set('Range', 'bytes=0-1');
  for (const _visit of [1, 2]) {
    const { headers } = await part().expect(206, '01').expect('X-Part', 'yes');
    expect(headers).toMatchObject({ 'content-range': 'bytes 0-1/20' });
    expect(headers).not.toHaveProperty('cache-control');
  }
  await visit(app, '/page').expect(200, PAGE);
  const { headers } = await part().expect(206, '01');
  expect(headers).not.toHaveProperty('x-part');
  expect(headers).toMatchObject({ 'content-range': 'bytes 0-1/20', 'x-extra': 'kept' });
  await visit(app, '/page').set('Range', 'bytes=5-9').expect(206, '56789');
  expect(seen).toEqual(['bytes=0-1', 'bytes=0-1', undefined]);
});

test('what handlers send in parts is never stored', async () => {
  const { app, origin } = pageApp((res) => {
    res.writeHead(206, { 'Content-Range': 'bytes 0-1/20', 'Cache-Control': 'max-age=60' });
    res.end('01');
  });
  for (const call of [1, 2]) {
    await visit(app, '/page').expect(206);
    expect(origin.calls).toBe(call);
  }
});

test.each([404, 301, 203])('a stored %d has no parts', async (status) => {
  const { app } = pageApp((res) => {
    res.writeHead(status, { 'Cache-Control': 'max-age=60', Location: '/x' });
    res.end(PAGE);
  });
  for (const _visit of [1, 2]) {
    await visit(app, '/page').redirects(0).set('Range', 'bytes=0-1').expect(status, PAGE);
  }
});

test('an empty page has no parts to give', async () => {
  const { app } = pageApp((res) => res.end());
  await visit(app, '/page').expect(200, '');
  await visit(app, '/page').set('Range', 'bytes=0-0').expect(416);
  await visit(app, '/page').expect(200, '');
});

test('parts of what compression() has made are parts of that, as it is stored', async () => {
  const { app, origin } = pageApp(
    (res) => {
      res.setHeader('Content-Type', 'text/plain');
      res.end(PAGE.repeat(200));
    },
    { between: [compression({ threshold: 0 }) as never] },
  );
  const site = await serveHttp1(app);
  try {
    const ask = (headers: Record<string, string>) =>
      site.get('/page', { Host: 'www.example.com', 'Accept-Encoding': 'gzip', ...headers });
    const whole = await ask({});
    const parts = await Promise.all([
      ask({ Range: 'bytes=0-9' }),
      ask({ Range: `bytes=10-${whole.body.length - 1}` }),
    ]);
    expect(parts.map(({ status }) => status)).toEqual([206, 206]);
    expect(Buffer.concat(parts.map(({ body }) => body))).toEqual(whole.body);
    for (const { lines } of parts) expect(lines).toContain('Content-Encoding: gzip');
    const plain = await ask({ 'Accept-Encoding': 'identity', Range: 'bytes=0-9' });
    expect(plain.status).toBe(200);
    expect(origin.calls).toBe(2);
  } finally {
    await site.close();
  }
});
