import type { IncomingMessage, ServerResponse } from 'node:http';
import { condition, etag, lastModified } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import request from 'supertest';
import { serveHttp2 } from '../support/http-client';
import { makeOrigin } from '../support/origin';
import { describeEachStack, type Step } from '../support/stacks';

type View = (req: IncomingMessage, res: ServerResponse) => unknown;
type Helper = ReturnType<typeof condition>;

const PAST = 'Tue, 03 Jan 2006 00:00:00 GMT';
const NOW = 'Sun, 12 Mar 2006 16:00:00 GMT';
const LATER = 'Mon, 13 Mar 2006 16:00:00 GMT';
const INVALID = 'Mon, 32 Oct 2006 16:00:00 GMT';
const now = new Date(NOW);

const spam = () => '"spam"';
const both = condition(spam, () => now);
const tagged = etag(spam);
const weak = etag(() => 'W/"spam"');
const dated = lastModified(() => now);
const unknown = condition(
  () => null,
  () => undefined,
);

describeEachStack((build) => {
  async function ask(steps: Step[], method: string, headers: Record<string, string>) {
    const agent = request(build([{ path: '/a', steps }]));
    const send = (agent as unknown as Record<string, (path: string) => request.Test>)[method]!;
    const response = await send('/a').set(headers);
    return { status: response.status, text: response.text ?? '', headers: response.headers };
  }

  test.each<[fact: string, string, Record<string, string>, string, number, Helper]>([
    ['COND-05', 'get', { 'If-None-Match': '"spam"' }, 'tagged', 304, tagged],
    ['COND-05', 'get', { 'If-None-Match': '"eggs"' }, 'tagged', 200, tagged],
    ['COND-05', 'get', { 'If-None-Match': '"""' }, 'tagged and dated', 200, both],
    ['COND-05', 'head', { 'If-None-Match': '"spam"' }, 'tagged', 304, tagged],
    ['COND-06', 'get', { 'If-None-Match': 'W/"spam"' }, 'tagged', 304, tagged],
    ['COND-06', 'get', { 'If-None-Match': '"spam"' }, 'weakly tagged', 304, weak],
    ['COND-06', 'get', { 'If-None-Match': '"a", "spam"' }, 'tagged and dated', 304, both],
    ['COND-06', 'get', { 'If-None-Match': '*' }, 'tagged', 304, tagged],
    ['COND-06', 'get', { 'If-None-Match': '*' }, 'unknown', 200, unknown],
    ['COND-07', 'put', { 'If-None-Match': '"spam"' }, 'tagged', 412, tagged],
    ['COND-07', 'post', { 'If-None-Match': '*' }, 'tagged', 412, tagged],
    ['COND-07', 'put', { 'If-None-Match': '*' }, 'unknown', 200, unknown],
    ['COND-08', 'get', { 'If-Modified-Since': NOW }, 'dated', 304, dated],
    ['COND-08', 'get', { 'If-Modified-Since': LATER }, 'tagged and dated', 304, both],
    ['COND-08', 'head', { 'If-Modified-Since': NOW }, 'dated', 304, dated],
    ['COND-08', 'get', { 'If-Modified-Since': PAST }, 'dated', 200, dated],
    ['COND-08', 'get', { 'If-Modified-Since': INVALID }, 'dated', 200, dated],
    ['COND-08', 'get', { 'If-Modified-Since': NOW }, 'unknown', 200, unknown],
    ['COND-08', 'put', { 'If-Modified-Since': NOW }, 'dated', 200, dated],
    [
      'COND-09',
      'get',
      { 'If-None-Match': '"spam"', 'If-Modified-Since': PAST },
      'tagged and dated',
      304,
      both,
    ],
    [
      'COND-09',
      'get',
      { 'If-None-Match': '"eggs"', 'If-Modified-Since': NOW },
      'tagged and dated',
      200,
      both,
    ],
    ['COND-10', 'put', { 'If-Match': '"spam"' }, 'tagged', 200, tagged],
    ['COND-10', 'put', { 'If-Match': '"eggs"' }, 'tagged', 412, tagged],
    ['COND-10', 'get', { 'If-Match': '"eggs"' }, 'tagged', 412, tagged],
    ['COND-10', 'put', { 'If-Match': 'W/"spam"' }, 'tagged', 412, tagged],
    ['COND-10', 'put', { 'If-Match': '"spam"' }, 'weakly tagged', 412, weak],
    ['COND-10', 'put', { 'If-Match': '*' }, 'weakly tagged', 200, weak],
    ['COND-10', 'put', { 'If-Match': '*' }, 'unknown', 412, unknown],
    ['COND-11', 'put', { 'If-Unmodified-Since': NOW }, 'dated', 200, dated],
    ['COND-11', 'put', { 'If-Unmodified-Since': LATER }, 'dated', 200, dated],
    ['COND-11', 'put', { 'If-Unmodified-Since': PAST }, 'dated', 412, dated],
    ['COND-11', 'get', { 'If-Unmodified-Since': PAST }, 'dated', 412, dated],
    ['COND-11', 'put', { 'If-Unmodified-Since': INVALID }, 'dated', 200, dated],
    ['COND-11', 'put', { 'If-Unmodified-Since': NOW }, 'tagged', 412, tagged],
    [
      'COND-12',
      'put',
      { 'If-Match': '"spam"', 'If-Unmodified-Since': PAST },
      'tagged and dated',
      200,
      both,
    ],
    [
      'COND-13',
      'get',
      { 'If-Match': '"eggs"', 'If-None-Match': '"spam"' },
      'tagged and dated',
      412,
      both,
    ],
    [
      'COND-13',
      'get',
      { 'If-Unmodified-Since': PAST, 'If-None-Match': '"spam"' },
      'tagged and dated',
      412,
      both,
    ],
    ['COND-13', 'get', { Range: 'bytes=0-1', 'If-Range': '"spam"' }, 'tagged and dated', 200, both],
  ])(
    '(%s) a %s with %j of what is %s: %i',
    async (_fact, method, headers, _what, status, helper) => {
      for (const around of [false, true]) {
        const origin = makeOrigin();
        const steps = around ? [helper(origin.handle)] : [helper, origin.handle];
        const response = await ask(steps as Step[], method, headers);
        expect(response.status).toBe(status);
        expect(response.text).toBe(status === 200 && method !== 'head' ? 'page 1' : '');
        expect(origin.calls).toBe(status === 200 ? 1 : 0);
      }
    },
  );

  test.each<[what: string, helper: Helper, sent: Record<string, string | undefined>]>([
    ['both', both, { etag: '"spam"', lastModified: NOW }],
    ['a tag alone', condition(spam), { etag: '"spam"' }],
    ['a tag and null', condition(spam, null), { etag: '"spam"' }],
    ['a date alone', condition(null, () => now), { lastModified: NOW }],
    ['a date and undefined', condition(undefined, () => now), { lastModified: NOW }],
    ['a tag, and an unknown date', condition(spam, () => null), { etag: '"spam"' }],
    [
      'a date, and no tag',
      condition(
        () => undefined,
        () => now,
      ),
      { lastModified: NOW },
    ],
    ['neither', unknown, {}],
    ['a promised tag', condition(async () => '"spam"'), { etag: '"spam"' }],
    ['a promised date', condition(spam, async () => now), { etag: '"spam"', lastModified: NOW }],
    ['etag()', etag(async () => 'spam'), { etag: '"spam"' }],
    ['lastModified()', lastModified(async () => now), { lastModified: NOW }],
  ])('sends what was found: %s (COND-15, COND-17)', async (_what, helper, sent) => {
    const { headers, text } = await ask([helper, makeOrigin().handle], 'get', {});
    expect(text).toBe('page 1');
    expect({ etag: headers.etag, lastModified: headers['last-modified'] }).toEqual({
      etag: sent.etag,
      lastModified: sent.lastModified,
    });
  });

  test('hands the functions the request and the response (COND-15)', async () => {
    const find = jest.fn((req: IncomingMessage, res: ServerResponse) => {
      expect(typeof res.setHeader).toBe('function');
      return `v${req.headers['x-version']}`;
    });
    const helper = condition(find, (req) => (req.headers['x-date'] as string) ?? null);
    const { headers } = await ask([helper, makeOrigin().handle], 'get', {
      'X-Version': '7',
      'X-Date': NOW,
    });
    expect([headers.etag, headers['last-modified']]).toEqual(['"v7"', NOW]);
    expect(find).toHaveBeenCalledTimes(1);
  });

  test.each(['put', 'post', 'delete'])('sends nothing on %s (COND-16)', async (method) => {
    const { headers, status } = await ask([both, makeOrigin().handle], method, {});
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('etag');
    expect(headers).not.toHaveProperty('last-modified');
  });

  test('sends them on HEAD (COND-16)', async () => {
    const { headers } = await ask([both, makeOrigin().handle], 'head', {});
    expect([headers.etag, headers['last-modified']]).toEqual(['"spam"', NOW]);
  });

  test('leaves those that the handler sets (COND-16)', async () => {
    const bySetHeader: View = (_req, res) =>
      res.setHeader('ETag', '"own"').setHeader('Last-Modified', PAST).end('page');
    const byWriteHead: View = (_req, res) =>
      res.writeHead(200, { etag: '"own"', 'last-modified': PAST }).end('page');
    for (const view of [bySetHeader, byWriteHead]) {
      const { headers } = await ask([both, view], 'get', {});
      expect([headers.etag, headers['last-modified']]).toEqual(['"own"', PAST]);
    }
  });

  test('nests, the innermost tag counting for what is sent (COND-16)', async () => {
    const steps = [etag(() => 'outer'), etag(() => 'inner'), dated, makeOrigin().handle];
    const { headers } = await ask(steps, 'get', {});
    expect([headers.etag, headers['last-modified']]).toEqual(['"inner"', NOW]);
  });

  test.each([404, 500])('does not send them with a %i', async (status) => {
    const view: View = (_req, res) => {
      res.statusCode = status;
      res.end('error');
    };
    const { headers } = await ask([both, view], 'get', {});
    expect(headers).not.toHaveProperty('etag');
    expect(headers).not.toHaveProperty('last-modified');
    const own: View = (_req, res) => res.writeHead(status, { ETag: '"own"' }).end('error');
    expect((await ask([both, own], 'get', {})).headers.etag).toBe('"own"');
  });

  test.each([
    ['spam', '"spam"', '"spam"'],
    ['"spam"', '"spam"', '"spam"'],
    ['W/"spam"', 'W/"spam"', '"spam"'],
    ['a, b', '"a, b"', '"c", "a, b"'],
  ])('quotes the tag %s where it is not (COND-17)', async (found, sent, asked) => {
    const first = await ask([etag(() => found), makeOrigin().handle], 'get', {});
    expect(first.headers.etag).toBe(sent);
    const again = await ask([etag(() => found), makeOrigin().handle], 'get', {
      'If-None-Match': asked,
    });
    expect([again.status, again.headers.etag]).toEqual([304, sent]);
  });

  test('sends no field of the body with a 304 (COND-14)', async () => {
    const before: Step = (_req, res, next) => {
      res.setHeader('Content-Language', 'en');
      res.setHeader('Vary', 'Accept');
      next();
    };
    const steps = [before, both, makeOrigin().handle];
    const { headers } = await ask(steps, 'get', { 'If-None-Match': '"spam"' });
    const names = Object.keys(headers).filter((name) => !/connection|keep-alive/.test(name));
    expect(names.sort().filter((name) => name !== 'x-powered-by')).toEqual([
      'date',
      'etag',
      'last-modified',
      'vary',
    ]);
  });

  test('keeps what others set on a 412, for the script that asked', async () => {
    const before: Step = (_req, res, next) => {
      res.setHeader('Access-Control-Allow-Origin', '*');
      next();
    };
    const { headers } = await ask([before, both, makeOrigin().handle], 'put', {
      'If-Match': '"eggs"',
    });
    expect(headers).toMatchObject({ 'access-control-allow-origin': '*', 'content-length': '0' });
    expect(headers).not.toHaveProperty('etag');
  });

  test.each<[date: Date | string, sent: string]>([
    [new Date(now.getTime() + 999), NOW],
    [NOW, NOW],
    ['Sun, 12 Mar 2006 16:00:00', NOW],
    ['2006-03-12T16:00:00Z', NOW],
    ['2006-03-12T16:00:00', NOW],
    ['2006-03-12 16:00:00.999', NOW],
    ['2006-03-12 16:00', NOW],
    ['2006-03-12T18:00:00+02:00', NOW],
    ['2006-01-03', PAST],
  ])('takes %j for a whole second in UTC (COND-18)', async (date, sent) => {
    const helper = lastModified(() => date);
    const first = await ask([helper, makeOrigin().handle], 'get', {});
    expect(first.headers['last-modified']).toBe(sent);
    const again = await ask([helper, makeOrigin().handle], 'get', { 'If-Modified-Since': sent });
    expect(again.status).toBe(304);
  });

  test.each<[what: string, helper: Helper]>([
    [
      'a function that throws',
      etag(() => {
        throw new Error('database');
      }),
    ],
    ['a promise that is rejected', etag(async () => Promise.reject(new Error('database')))],
    ['a date that is none', lastModified(() => new Date(Number.NaN))],
    ['text that is no date', lastModified(() => 'yesterday')],
    ['a number for a date', lastModified((() => 5) as never)],
    ['a tag that no header can hold', etag(() => 'a"b')],
  ])('hands %s to the error handler, and runs no handler', async (_what, helper) => {
    const silence = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const origin = makeOrigin();
    const before = await ask([helper, origin.handle], 'get', {});
    const around = await ask([helper(origin.handle) as Step], 'get', {});
    silence.mockRestore();
    expect([before.status, around.status, origin.calls]).toEqual([500, 500, 0]);
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('on %s', (_name, makeApp) => {
  test('sees route parameters, and its tag takes the place of that of res.send()', async () => {
    const origin = makeOrigin((res) => (res as unknown as express.Response).send('page'));
    const app = makeApp();
    app.get(
      '/post/:id',
      etag((req: express.Request) => `post-${req.params.id}`),
      origin.handle as express.RequestHandler,
    );
    const first = await request(app).get('/post/7');
    expect(first.headers.etag).toBe('"post-7"');
    const again = await request(app).get('/post/7').set('If-None-Match', '"post-7"');
    expect([again.status, again.text, origin.calls]).toEqual([304, '', 1]);
    expect((await request(app).get('/post/8').set('If-None-Match', '"post-7"')).text).toBe('page');
  });

  test('lets the body of a PUT be read', async () => {
    const app = makeApp();
    app.put(
      '/',
      etag(async () => 'v1'),
      express.json(),
      ((req, res) => {
        res.json(req.body);
      }) as express.RequestHandler,
    );
    const sent = { text: 'x'.repeat(1000) };
    const stored = await request(app).put('/').set('If-Match', '"v1"').send(sent);
    expect(stored.body).toEqual(sent);
    const refused = await request(app).put('/').set('If-Match', '"v0"').send(sent);
    expect([refused.status, refused.text]).toEqual([412, '']);
  });
});

test.each(['get', 'put'])('answers a %s on the HTTP/2 API', async (method) => {
  const origin = makeOrigin();
  const site = await serveHttp2(both(origin.handle));
  const headers = { 'if-none-match': '"spam"' };
  const { status, body } = await site.get('/', headers, method.toUpperCase());
  await site.close();
  expect([status, body.length, origin.calls]).toEqual([method === 'get' ? 304 : 412, 0, 0]);
});

test.each<[call: string, make: () => unknown, received: string]>([
  ['condition()', () => (condition as (...args: unknown[]) => unknown)(), 'got none'],
  ['condition(null, null)', () => condition(null, null), 'got none'],
  ['condition("v1")', () => condition('v1' as never), 'got string'],
  ['condition(fn, new Date())', () => condition(spam, now as never), 'got function, object'],
  ['etag("v1")', () => etag('v1' as never), 'etag() takes a function'],
  ['lastModified()', () => lastModified(undefined as never), 'lastModified() takes a function'],
])('%s is a TypeError when made', (_call, make, received) => {
  expect(make).toThrow(TypeError);
  expect(make).toThrow(received);
});
