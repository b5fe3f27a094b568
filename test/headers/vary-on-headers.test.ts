import type { IncomingMessage, ServerResponse } from 'node:http';
import { neverCache, varyOnCookie, varyOnHeaders } from 'cachewright';
import compression from 'compression';
import express from 'express';
import express4 from 'express4';
import request from 'supertest';
import { serveHttp2 } from '../support/http-client';
import { describeEachStack, type Step } from '../support/stacks';

type View = (req: IncomingMessage, res: ServerResponse) => unknown;

const VIEWS: Record<string, View> = {
  'a sync handler': (_req, res) => res.end('page'),
  'an async handler': async (_req, res) => {
    await Promise.resolve();
    res.end('page');
  },
  'a handler that writes at once': (_req, res) => {
    res.write('page');
    setImmediate(() => res.end());
  },
  'a handler that flushes the head': (_req, res) => {
    res.flushHeaders();
    res.end('page');
  },
};

describeEachStack((build) => {
  const vary = async (...steps: Step[]) => {
    const response = await request(build([{ path: '/a', steps }])).get('/a');
    return response.headers.vary;
  };

  test.each(Object.entries(VIEWS))(
    'adds names before and around %s (VARY-06, VARY-07)',
    async (...all) => {
      const view = all[1];
      const helper = varyOnHeaders('Header', 'Another-header');
      expect(await vary(helper, view)).toBe('Header, Another-header');
      expect(await vary(helper(view))).toBe('Header, Another-header');
      expect(await vary(varyOnCookie(), view)).toBe('Cookie');
      expect(await vary(varyOnCookie()(view))).toBe('Cookie');
      expect(await vary(varyOnCookie, view)).toBe('Cookie');
      expect(await vary(varyOnCookie(view))).toBe('Cookie');
    },
  );

  test.each([200, 204, 304, 404, 500])('adds names to a %i (VARY-07)', async (status) => {
    const view: View = (_req, res) => {
      res.statusCode = status;
      res.end();
    };
    expect(await vary(varyOnCookie(), view)).toBe('Cookie');
  });

  test('lists a name once, however often it is added (VARY-07)', async () => {
    const view: View = (_req, res) => res.setHeader('Vary', 'cookie, X-A').end('page');
    const twice = [varyOnHeaders('Cookie', 'X-B'), varyOnCookie(), varyOnHeaders('x-b', 'X-A')];
    expect(await vary(...twice, view)).toBe('cookie, X-A, x-b');
    expect(await vary(twice[0]!(twice[1]!(twice[2]!(view))))).toBe('cookie, X-A, x-b');
  });

  test.each<[how: string, args: unknown[]]>([
    ['writeHead with an object', [200, { vary: 'Accept' }]],
    ['writeHead with a status text', [200, 'OK', { Vary: 'Accept' }]],
    ['writeHead with a flat array', [200, ['Vary', 'Accept']]],
    ['writeHead with pairs', [200, [['Vary', 'Accept']]]],
  ])('adds to the Vary that a handler gives to %s (VARY-08)', async (_how, args) => {
    const view: View = (_req, res) => {
      res.setHeader('Vary', 'Overridden');
      (res.writeHead as (...all: unknown[]) => unknown)(...args);
      res.end('page');
    };
    expect(await vary(varyOnCookie(), view)).toBe('Accept, Cookie');
    expect(await vary(varyOnCookie()(view))).toBe('Accept, Cookie');
  });

  test('starts with a name where the handler sets an empty Vary (VARY-09)', async () => {
    const view: View = (_req, res) => res.setHeader('Vary', '').end('page');
    expect(await vary(varyOnCookie(), view)).toBe('Cookie');
  });

  test('leaves `*` alone (VARY-04)', async () => {
    const view: View = (_req, res) => res.setHeader('Vary', '*').end('page');
    expect(await vary(varyOnCookie(), view)).toBe('*');
    expect(await vary(varyOnHeaders('*'), VIEWS['a sync handler']!)).toBe('*');
  });

  test('goes together with other helpers', async () => {
    const app = build([neverCache(), varyOnCookie(), VIEWS['an async handler']!]);
    const { headers } = await request(app).get('/');
    expect(headers.vary).toBe('Cookie');
    expect(headers['cache-control']).toContain('no-store');
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('on %s', (_name, makeApp) => {
  test('adds to what res.vary() lists (VARY-08)', async () => {
    const app = makeApp();
    app.get('/before', varyOnHeaders('X-A', 'X-B'), (_req, res) => {
      res.vary('Accept').vary('x-a').send('page');
    });
    app.get(
      '/around',
      varyOnHeaders(
        'X-A',
        'X-B',
      )((_req, res) => {
        res.vary('Accept').vary('x-a').json({});
      }),
    );
    expect((await request(app).get('/before')).headers.vary).toBe('Accept, x-a, X-B');
    expect((await request(app).get('/around')).headers.vary).toBe('Accept, x-a, X-B');
  });

  test('adds names to error pages (VARY-07)', async () => {
    const silence = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const app = makeApp();
    app.use(varyOnCookie());
    app.get('/', () => {
      throw new Error('broken');
    });
    const response = await request(app).get('/');
    silence.mockRestore();
    expect(response.status).toBe(500);
    expect(response.headers.vary).toBe('Cookie');
    expect((await request(app).get('/missing')).headers.vary).toBe('Cookie');
  });

  test.each(['before', 'after'])('goes together with compression() %s it', async (where) => {
    const app = makeApp();
    const steps = [compression({ threshold: 0 }), varyOnCookie()];
    for (const step of where === 'before' ? steps : steps.reverse()) app.use(step as never);
    app.get('/', (_req, res) => {
      res.send('page');
    });
    const response = await request(app).get('/').set('Accept-Encoding', 'gzip');
    expect(response.headers['content-encoding']).toBe('gzip');
    expect(response.headers.vary!.split(', ').sort()).toEqual(['Accept-Encoding', 'Cookie']);
    expect(response.text).toBe('page');
  });
});

test('adds names on the HTTP/2 API', async () => {
  const site = await serveHttp2(
    varyOnCookie()((_req, res) => {
      res.writeHead(200, { vary: 'Accept' });
      res.end('page');
    }),
  );
  const { lines } = await site.get('/');
  await site.close();
  expect(lines).toContain('vary: Accept, Cookie');
});

test.each<[what: string, names: unknown[], message: RegExp]>([
  ['no name', [], /got no header name/],
  ['a list', [['Cookie']], /got a object, which is no header name/],
  ['several names in one', ['Cookie, Accept'], /got "Cookie, Accept", which is no header name/],
  ['an empty name', ['Cookie', ''], /got "", which/],
  ['a line break', ['Cookie\r\nX'], /got "Cookie\\r\\nX"/],
])('is not made with %s', (_what, names, message) => {
  const make = () => varyOnHeaders(...(names as string[]));
  expect(make).toThrow(TypeError);
  expect(make).toThrow(message);
});
