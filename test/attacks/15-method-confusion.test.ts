import { cachePage, fetchFromCache, updateCache } from 'cachewright';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp2 } from '../support/http-client';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { lastLines, serveRaw } from '../support/raw-client';
import { settled } from '../support/settled';
import { describeEachStack, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

describeEachStack((build) => {
  const SITES: Record<string, (last: Step) => ReturnType<typeof build>> = {
    'the pair': (last) => build([updateCache(), fetchFromCache(), last]),
    'cachePage()': (last) => build([cachePage(60), last]),
  };

  test.each(Object.entries(SITES))(
    'HEAD first leaves GET its body, behind %s',
    async (_name, site) => {
      const origin = makeOrigin((res, call, req) => {
        res.setHeader('Content-Length', `page ${call}`.length);
        res.end(req.method === 'HEAD' ? undefined : `page ${call}`);
      });
      const app = site(origin.handle);
      for (const _visit of [1, 2]) await visit(app, '/page', 'head').expect('Content-Length', '6');
      for (const _visit of [1, 2]) await visit(app, '/page').expect(200, 'page 2');
    },
  );

  test.each(Object.entries(SITES))(
    'POST always runs its handler, behind %s',
    async (_name, site) => {
      const origin = makeOrigin((res, call, req) => {
        // Had it succeeded, the stored page would be outdated (RFC 9111 §4.4).
        if (req.method !== 'GET') res.statusCode = 409;
        res.end(`${req.method} ${call}`);
      });
      const app = site(origin.handle);
      await visit(app, '/page', 'post').expect('POST 1');
      await visit(app, '/page').expect('GET 2');
      await visit(app, '/page', 'post').expect('POST 3');
      await visit(app, '/page', 'post').send({ a: 1 }).expect('POST 4');
      await visit(app, '/page').expect('GET 2');
      await visit(app, '/page', 'put').expect('PUT 5');
      await visit(app, '/page', 'delete').expect('DELETE 6');
      await visit(app, '/page').expect('GET 2');
    },
  );
});

describe('a method that middleware overrides', () => {
  /** As the package method-override does. */
  const override: Step = (req, _res, next) => {
    const method = req.headers['x-http-method-override'];
    if (typeof method === 'string') req.method = method.toUpperCase();
    next();
  };
  const site = () =>
    pageApp(
      (res, call, req) => {
        if (req.method === 'DELETE') res.statusCode = 405;
        res.end(`${req.method} ${call}`);
      },
      { between: [override] },
    );

  test.each(['DELETE', 'POST', 'HEAD', 'PUT', 'QUERY'])(
    '%s neither poisons the GET nor is answered by it',
    async (method) => {
      const { app, origin } = site();
      const asked = () => visit(app, '/page').set('X-HTTP-Method-Override', method);
      await asked();
      await settled();
      await visit(app, '/page').expect(200, 'GET 2');
      await asked();
      await visit(app, '/page').expect(200, 'GET 2');
      expect(origin.calls).toBe(3);
    },
  );

  test('POST made GET stays out of the cache', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation();
    try {
      const { app } = site();
      const asked = () => visit(app, '/page', 'post').set('X-HTTP-Method-Override', 'GET');
      await asked().expect('GET 1');
      await visit(app, '/page').expect('GET 2');
      await asked().expect('GET 3');
    } finally {
      emitWarning.mockRestore();
    }
  });
});

// HTTP/1.1 has a list of methods in Node, which refuses all others.
test.each(['get', 'Get', 'GETX', 'head'])(
  'the method %s, which HTTP/2 lets through, is not taken for another',
  async (method) => {
    const pair = [updateCache(), fetchFromCache()] as const;
    let calls = 0;
    const site = await serveHttp2((req, res) =>
      pair[0](req, res, () => pair[1](req, res, () => res.end(`${req.method} ${++calls}`))),
    );
    const ask = async (sent: string) => {
      const { body } = await site.get('/page', { ':authority': 'www.example.com' }, sent);
      await settled();
      return body.toString();
    };
    try {
      expect(await ask(method)).toBe(`${method} 1`);
      expect(await ask('GET')).toBe('GET 2');
      expect(await ask(method)).toBe(`${method} 3`);
    } finally {
      await site.close();
    }
  },
);

describe('a GET with a body', () => {
  const site = () =>
    pageApp((res, call, req) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk) => chunks.push(chunk));
      req.on('end', () => res.end(`${call}: ${Buffer.concat(chunks)}`));
    });

  test('is neither stored nor answered from the cache', async () => {
    const { app } = site();
    const withBody = () =>
      request(app).get('/page').set('Host', 'www.example.com').type('text').send('evil');
    await withBody().expect('1: evil');
    await visit(app, '/page').expect('2: ');
    await withBody().expect('3: evil');
    await visit(app, '/page').expect('2: ');
  });

  test.each([
    ['in chunks', ['Transfer-Encoding: chunked'], '4\r\nevil\r\n0\r\n\r\n'],
    ['of a length with zeros', ['Content-Length: 004'], 'evil'],
    ['that is empty, in chunks', ['Transfer-Encoding: chunked'], '0\r\n\r\n'],
  ])('%s is one', async (_how, headers, body) => {
    const { app, origin } = site();
    const raw = await serveRaw(app);
    try {
      for (const call of [1, 2]) {
        const head = lastLines('GET /page HTTP/1.1', 'Host: www.example.com', ...headers);
        const answer = await raw.exchange(head + body);
        expect(answer).toContain(`${call}: `);
        await settled();
        expect(origin.calls).toBe(call);
      }
      await visit(app, '/page').expect('3: ');
    } finally {
      await raw.close();
    }
  });

  test('whose length is 0 has none', async () => {
    const { app, origin } = site();
    for (const _visit of [1, 2]) {
      await visit(app, '/page').set('Content-Length', '0').expect('1: ');
    }
    expect(origin.calls).toBe(1);
  });
});
