import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { cacheControl, conditionalGet, neverCache, varyOnCookie } from 'cachewright';
import compression from 'compression';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import request from 'supertest';
import { onResponseHead } from '../../src/headers/on-response-head';
import { WAYS } from '../page-cache/ways-of-sending';
import { type Listener, type Received, serveHttp1, serveHttp2 } from '../support/http-client';
import { describeEachStack, type Step } from '../support/stacks';

type View = (req: IncomingMessage, res: ServerResponse) => unknown;

const PAST = 'Tue, 03 Jan 2006 00:00:00 GMT';
const NOW = 'Sun, 12 Mar 2006 16:00:00 GMT';
const INVALID = 'Mon, 32 Oct 2006 16:00:00 GMT';

function md5Etag(body: string | Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

/** A view with these headers, that answers `page`. */
function viewWith(headers: Record<string, string>, status = 200): View {
  return (_req, res) => {
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.end('page');
  };
}

describeEachStack((build) => {
  const fetch = (view: Step, headers: Record<string, string> = {}, method = 'get') => {
    const agent = request(build([conditionalGet(), { path: '/a', steps: [view] }]));
    const asked = (agent as unknown as Record<string, (path: string) => request.Test>)[method]!(
      '/a',
    );
    return asked.set(headers).ok(() => true);
  };

  test('gives a page the MD5 of its body as strong ETag (COND-01)', async () => {
    const response = await fetch(viewWith({}));
    expect(response.headers.etag).toBe(md5Etag('page'));
    expect(response.text).toBe('page');
    expect(response.headers['content-length']).toBe('4');
    const asyncView: View = async (_req, res) => {
      await Promise.resolve();
      res.end(Buffer.from('grüße', 'latin1'));
    };
    expect((await fetch(asyncView)).headers.etag).toBe(md5Etag(Buffer.from('grüße', 'latin1')));
  });

  test('works around a handler and without parentheses (COND-01)', async () => {
    for (const steps of [
      [conditionalGet()(viewWith({}))],
      [conditionalGet(viewWith({}))],
      [conditionalGet, viewWith({})],
    ]) {
      const { headers } = await request(build([{ path: '/a', steps: steps as Step[] }])).get('/a');
      expect(headers.etag).toBe(md5Etag('page'));
    }
  });

  test.each<[what: string, view: View, etag: string | undefined]>([
    ['with an ETag', viewWith({ ETag: '"spam"' }), '"spam"'],
    ['with a weak ETag', viewWith({ ETag: 'W/"spam"' }), 'W/"spam"'],
    ['without a body', (_req, res) => res.end(), undefined],
    ['with an empty body', (_req, res) => res.end(''), undefined],
    ['that is written in pieces', (_req, res) => res.write('page') && res.end(), undefined],
    ['that is piped', (_req, res) => Readable.from(['pa', 'ge']).pipe(res), undefined],
    ['whose head goes first', (_req, res) => res.writeHead(200).end('page'), undefined],
    ['of which this is a part', viewWith({}, 206), undefined],
  ])('computes none for a response %s (COND-01)', async (_what, view, etag) => {
    expect((await fetch(view)).headers.etag).toBe(etag);
  });

  test.each([
    ['no-store', undefined],
    ['public, No-Store', undefined],
    ['my-directive="my-no-store"', md5Etag('page')],
    ['my-directive="a, no-store, b"', md5Etag('page')],
  ])('heeds no-store in `Cache-Control: %s` (COND-02)', async (value, etag) => {
    const response = await fetch(viewWith({ 'Cache-Control': value }));
    expect(response.headers.etag).toBe(etag);
  });

  test('heeds the no-store of a helper further in (COND-02)', async () => {
    expect((await fetch(neverCache()(viewWith({})))).headers.etag).toBeUndefined();
    expect((await fetch(cacheControl({ public: true })(viewWith({})))).headers.etag).toBeDefined();
  });

  test('processes GET alone (COND-03)', async () => {
    const head = await fetch(viewWith({}), {}, 'head');
    expect(head.headers.etag).toBeUndefined();
    const tagged = viewWith({ ETag: '"spam"' });
    expect((await fetch(tagged, { 'If-None-Match': '"spam"' }, 'head')).status).toBe(200);
    const put = await fetch(tagged, { 'If-Match': '"eggs"' }, 'put');
    expect([put.status, put.text]).toEqual([200, 'page']);
    const post = await fetch(tagged, { 'If-None-Match': '*' }, 'post');
    expect(post.status).toBe(200);
    expect((await fetch(viewWith({}), {}, 'post')).headers.etag).toBeUndefined();
  });

  test.each([301, 400, 404, 500])('leaves a %i as it is (COND-04)', async (status) => {
    const view = viewWith({ ETag: '"spam"', 'Last-Modified': NOW, Location: '/' }, status);
    const preconditions: [string, string][] = [
      ['If-None-Match', '"spam"'],
      ['If-Modified-Since', NOW],
      ['If-Match', '"eggs"'],
      ['If-Unmodified-Since', PAST],
    ];
    for (const [name, value] of preconditions) {
      const response = await fetch(view, { [name]: value }).redirects(0);
      expect([response.status, response.text]).toEqual([status, 'page']);
    }
  });

  test.each([200, 203, 206])('answers conditionally in place of a %i (COND-04)', async (status) => {
    const response = await fetch(viewWith({ ETag: '"spam"' }, status), {
      'If-None-Match': '"spam"',
    });
    expect(response.status).toBe(304);
  });

  test('answers 304 to the ETag it has computed itself (COND-05)', async () => {
    const response = await fetch(viewWith({}), { 'If-None-Match': md5Etag('page') });
    expect([response.status, response.text]).toEqual([304, '']);
    expect(response.headers.etag).toBe(md5Etag('page'));
    const other = await fetch(viewWith({}), { 'If-None-Match': md5Etag('other') });
    expect([other.status, other.text]).toEqual([200, 'page']);
    expect(other.headers['content-length']).toBe('4');
  });

  test.each<[fact: string, request: Record<string, string>, page: Record<string, string>, number]>([
    ['COND-05', { 'If-None-Match': '"spam"' }, { ETag: '"spam"' }, 304],
    ['COND-05', { 'If-None-Match': '"spam"' }, { ETag: '"eggs"' }, 200],
    ['COND-05', { 'If-None-Match': 'spam' }, { ETag: '"spam"' }, 200],
    ['COND-05', { 'If-None-Match': '"""' }, { ETag: '"spam"' }, 200],
    ['COND-06', { 'If-None-Match': 'W/"spam"' }, { ETag: '"spam"' }, 304],
    ['COND-06', { 'If-None-Match': '"spam"' }, { ETag: 'W/"spam"' }, 304],
    ['COND-06', { 'If-None-Match': '"a", "spam"' }, { ETag: '"spam"' }, 304],
    ['COND-06', { 'If-None-Match': '*' }, { ETag: '"spam"' }, 304],
    ['COND-06', { 'If-None-Match': '*' }, { 'Cache-Control': 'no-store' }, 200],
    ['COND-08', { 'If-Modified-Since': NOW }, { 'Last-Modified': NOW }, 304],
    ['COND-08', { 'If-Modified-Since': NOW }, { 'Last-Modified': PAST }, 304],
    ['COND-08', { 'If-Modified-Since': PAST }, { 'Last-Modified': NOW }, 200],
    ['COND-08', { 'If-Modified-Since': INVALID }, { 'Last-Modified': NOW }, 200],
    ['COND-08', { 'If-Modified-Since': NOW }, { 'Last-Modified': INVALID }, 200],
    ['COND-08', { 'If-Modified-Since': NOW }, {}, 200],
    [
      'COND-09',
      { 'If-None-Match': '"spam"', 'If-Modified-Since': PAST },
      { ETag: '"spam"', 'Last-Modified': NOW },
      304,
    ],
    [
      'COND-09',
      { 'If-None-Match': '"eggs"', 'If-Modified-Since': NOW },
      { ETag: '"spam"', 'Last-Modified': NOW },
      200,
    ],
    ['COND-10', { 'If-Match': '"spam"' }, { ETag: '"spam"' }, 200],
    ['COND-10', { 'If-Match': '"eggs"' }, { ETag: '"spam"' }, 412],
    ['COND-10', { 'If-Match': '"spam"' }, { ETag: 'W/"spam"' }, 412],
    ['COND-10', { 'If-Match': 'W/"spam"' }, { ETag: '"spam"' }, 412],
    ['COND-10', { 'If-Match': '*' }, { ETag: 'W/"spam"' }, 200],
    ['COND-10', { 'If-Match': '*' }, { 'Cache-Control': 'no-store', 'Last-Modified': NOW }, 412],
    ['COND-11', { 'If-Unmodified-Since': NOW }, { 'Last-Modified': NOW }, 200],
    ['COND-11', { 'If-Unmodified-Since': NOW }, { 'Last-Modified': PAST }, 200],
    ['COND-11', { 'If-Unmodified-Since': PAST }, { 'Last-Modified': NOW }, 412],
    ['COND-11', { 'If-Unmodified-Since': INVALID }, { 'Last-Modified': NOW }, 200],
    ['COND-11', { 'If-Unmodified-Since': NOW }, { ETag: '"spam"' }, 412],
    [
      'COND-12',
      { 'If-Match': '"spam"', 'If-Unmodified-Since': PAST },
      { ETag: '"spam"', 'Last-Modified': NOW },
      200,
    ],
    ['COND-13', { 'If-Match': '"eggs"', 'If-None-Match': '"spam"' }, { ETag: '"spam"' }, 412],
    ['COND-13', { Range: 'bytes=0-1', 'If-Range': '"spam"' }, { ETag: '"spam"' }, 200],
    [
      'COND-18',
      { 'If-Modified-Since': 'Sun, 12 Mar 2006 16:00:00' },
      { 'Last-Modified': NOW },
      304,
    ],
  ])('(%s) answers %j about a page with %j by %i', async (_fact, headers, page, status) => {
    const response = await fetch(viewWith(page), headers);
    expect([response.status, response.text]).toEqual([status, status === 200 ? 'page' : '']);
  });

  test('a 304 keeps all fields but those of the body (COND-14)', async () => {
    const kept = {
      'cache-control': 'max-age=60',
      'content-location': '/here',
      date: NOW,
      etag: '"spam"',
      expires: NOW,
      'last-modified': PAST,
      vary: 'Accept',
    };
    const view: View = (_req, res) => {
      for (const [name, value] of Object.entries(kept)) res.setHeader(name, value);
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
      res.setHeader('Content-Language', 'en');
      res.setHeader('X-Own', 'x');
      res.writeHead(200, 'Fine', { 'content-type': 'text/plain', 'content-length': '4' });
      res.end('page');
    };
    const { status, headers, res } = (await fetch(varyOnCookie()(view), {
      'If-None-Match': '"spam"',
    })) as unknown as { status: number; headers: object; res: IncomingMessage };
    expect(status).toBe(304);
    expect(res.statusMessage).toBe('Not Modified');
    const {
      connection,
      'keep-alive': keepAlive,
      'x-powered-by': _by,
      ...rest
    } = headers as Record<string, unknown>;
    expect(rest).toEqual({
      ...kept,
      vary: 'Accept, Cookie',
      'set-cookie': ['a=1', 'b=2'],
      'x-own': 'x',
    });
  });

  test('says nothing of the page in a 412', async () => {
    const view = viewWith({
      ETag: '"spam"',
      'Content-Type': 'text/plain',
      'Content-Language': 'en',
      'Content-Length': '4',
      'Cache-Control': 'max-age=60',
      Expires: NOW,
      'X-Own': 'x',
    });
    const { headers, status } = await fetch(view, { 'If-Match': '"eggs"' });
    expect(status).toBe(412);
    expect(headers).toMatchObject({ 'x-own': 'x', 'content-length': '0', etag: '"spam"' });
    for (const name of ['content-type', 'content-language', 'cache-control', 'expires']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  test('goes by the preconditions that came in, if a handler further in gets to see none', async () => {
    const view: View = (req, res) => {
      for (const name of Object.keys(req.headers)) delete req.headers[name];
      res.end('page');
    };
    expect((await fetch(view, { 'If-None-Match': md5Etag('page') })).status).toBe(304);
  });
});

/** Serves one view behind conditionalGet(), and reads one response from it. */
async function ask(
  protocol: 'HTTP/1.1' | 'HTTP/2',
  listener: Listener,
  headers: Record<string, string> = {},
): Promise<Received> {
  const site = await (protocol === 'HTTP/2' ? serveHttp2 : serveHttp1)(listener);
  try {
    return await site.get('/', headers);
  } finally {
    await site.close();
  }
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('over %s', (protocol) => {
  const around = (...steps: unknown[]): Listener => {
    const app = connect();
    for (const step of steps) app.use(step as connect.HandleFunction);
    return app;
  };
  const line = ({ lines }: Received, name: string) =>
    lines.filter((text) => text.toLowerCase().startsWith(`${name}:`));

  /** Evens out how Node treats lists given to writeHead() after setHeader(). */
  const listen: Step = (_req, res, next) => {
    onResponseHead(res, () => undefined);
    next();
  };

  describe.each(Object.entries(WAYS))('a page sent by %s', (_way, send) => {
    const tagged: View = (_req, res) => {
      res.setHeader('ETag', '"spam"');
      return send(res);
    };

    test('is not touched where nothing is asked', async () => {
      const plain = await ask(protocol, around(listen, tagged));
      const conditional = await ask(protocol, around(conditionalGet(), tagged));
      const dateless = (received: Received) =>
        received.lines.filter((text) => !/^date:/i.test(text));
      expect(conditional.body.equals(plain.body)).toBe(true);
      expect(dateless(conditional)).toEqual(dateless(plain));
    });

    test('is sent in full if the precondition does not hold (COND-05)', async () => {
      const plain = await ask(protocol, around(listen, tagged));
      const received = await ask(protocol, around(conditionalGet(), tagged), {
        'if-none-match': '"eggs"',
      });
      expect(received.status).toBe(200);
      expect(received.body.equals(plain.body)).toBe(true);
      if (protocol === 'HTTP/1.1') {
        const framing = (got: Received) => [
          line(got, 'content-length'),
          line(got, 'transfer-encoding'),
        ];
        expect(framing(received)).toEqual(framing(plain));
      }
    });

    test('is replaced by a 304 without a body (COND-05)', async () => {
      const received = await ask(protocol, around(conditionalGet(), tagged), {
        'if-none-match': '"spam"',
      });
      expect(received.status).toBe(304);
      expect(received.body).toHaveLength(0);
      expect(line(received, 'content-length')).toEqual([]);
      expect(line(received, 'transfer-encoding')).toEqual([]);
    });

    test('is replaced by a 412 without a body (COND-10)', async () => {
      const received = await ask(protocol, around(conditionalGet(), tagged), {
        'if-match': '"eggs"',
      });
      expect(received.status).toBe(412);
      expect(received.body).toHaveLength(0);
      expect(line(received, 'content-length')).toEqual([
        protocol === 'HTTP/2' ? 'content-length: 0' : 'Content-Length: 0',
      ]);
    });
  });

  test('a 304 calls back for what it does not write', async () => {
    const calls: string[] = [];
    const view: View = (_req, res) => {
      res.setHeader('ETag', '"spam"');
      expect(res.write('a', () => calls.push('write'))).toBe(true);
      res.write('b', 'latin1', () => calls.push('write'));
      res.end('c', () => calls.push('end'));
    };
    const headers = { 'if-none-match': '"spam"' };
    const received = await ask(protocol, around(conditionalGet(), view), headers);
    expect(received.status).toBe(304);
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual(['write', 'write', 'end']);
  });

  test('an error page written after a head that was refused has no ETag of the page', async () => {
    const view: View = (_req, res) => {
      onResponseHead(res, () => {
        if (res.statusCode === 200) throw new Error('refused');
      });
      expect(() => res.end('page')).toThrow('refused');
      res.statusCode = 500;
      res.setHeader('Content-Length', 10);
      res.write('error ');
      res.end('page');
    };
    const ways: Record<string, string>[] = [{}, { 'if-none-match': '"eggs"' }];
    for (const headers of ways) {
      const received = await ask(protocol, around(conditionalGet(), view), headers);
      expect([received.status, received.body.toString()]).toEqual([500, 'error page']);
      expect(line(received, 'etag')).toEqual([]);
    }
  });

  describe('with compression()', () => {
    const page = 'page '.repeat(1000);
    const view: View = (_req, res) => {
      res.setHeader('Content-Type', 'text/plain');
      res.end(page);
    };
    const gzip = { 'accept-encoding': 'gzip' };

    test('outside, pages get the ETag of what was compressed (COND-01)', async () => {
      const app = around(compression(), conditionalGet(), view);
      const received = await ask(protocol, app, gzip);
      expect(line(received, 'content-encoding')).toHaveLength(1);
      expect(line(received, 'etag')[0]).toContain(md5Etag(page));
      const again = await ask(protocol, app, { ...gzip, 'if-none-match': md5Etag(page) });
      expect([again.status, again.body.length]).toEqual([304, 0]);
      const other = await ask(protocol, app, { ...gzip, 'if-none-match': '"eggs"' });
      expect([other.status, other.body.length]).toEqual([200, received.body.length]);
      const failed = await ask(protocol, app, { ...gzip, 'if-match': '"eggs"' });
      expect([failed.status, failed.body.length]).toEqual([412, 0]);
    });

    test('outside, pages under its threshold stay as they are', async () => {
      const small: View = (_req, res) => {
        res.setHeader('Content-Type', 'text/plain');
        res.end('page');
      };
      const app = around(compression(), conditionalGet(), small);
      for (const headers of [gzip, { ...gzip, 'if-none-match': '"eggs"' }]) {
        const received = await ask(protocol, app, headers);
        expect(line(received, 'content-encoding')).toEqual([]);
        expect(received.body.toString()).toBe('page');
      }
    });

    test('inside, an ETag of the handler still counts', async () => {
      const tagged: View = (req, res) => {
        res.setHeader('ETag', '"spam"');
        view(req, res);
      };
      const app = around(conditionalGet(), compression(), tagged);
      const received = await ask(protocol, app, { ...gzip, 'if-none-match': '"eggs"' });
      expect(line(received, 'content-encoding')).toHaveLength(1);
      expect(received.body.length).toBeGreaterThan(10);
      const again = await ask(protocol, app, { ...gzip, 'if-none-match': '"spam"' });
      expect([again.status, again.body.length]).toEqual([304, 0]);
    });
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('on %s', (_name, makeApp) => {
  const makeSite = (): Listener => {
    const app = makeApp();
    app.use(conditionalGet());
    app.get('/send', (_req, res) => {
      res.set('X-Own', 'x').send('page');
    });
    app.get('/json', (_req, res) => {
      res.json({ page: 1 });
    });
    app.get('/file', (_req, res) => {
      res.sendFile(require.resolve('vary/README.md'));
    });
    return app;
  };

  test('keeps the weak ETag of res.send() (COND-01)', async () => {
    const { headers, text } = await request(makeSite()).get('/send');
    expect(headers.etag).toMatch(/^W\/"/);
    expect(text).toBe('page');
  });

  test('makes the ETag itself if Express shall not (COND-01)', async () => {
    const app = makeApp();
    app.disable('etag');
    app.use(conditionalGet());
    app.get('/', (_req, res) => {
      res.send('page');
    });
    const { headers } = await request(app).get('/');
    expect(headers.etag).toBe(md5Etag('page'));
    const again = await request(app).get('/').set('If-None-Match', headers.etag!);
    expect([again.status, again.text]).toEqual([304, '']);
    expect(again.headers['content-type']).toBeUndefined();
    expect(again.headers['x-powered-by']).toBe('Express');
  });

  test.each(['/send', '/json', '/file'])('agrees with the 304 of %s', async (path) => {
    const site = makeSite();
    const { headers, text, body } = await request(site).get(path);
    const again = await request(site).get(path).set('If-None-Match', headers.etag!);
    expect([again.status, again.text]).toEqual([304, '']);
    expect(again.headers.etag).toBe(headers.etag);
    // Express does not answer 304 to this, but the client has the page all the same.
    const forced = { 'If-None-Match': headers.etag!, 'Cache-Control': 'no-cache' };
    expect((await request(site).get(path).set(forced)).status).toBe(304);
    const other = await request(site).get(path).set('If-None-Match', '"eggs"');
    expect([other.status, other.text, other.body]).toEqual([200, text, body]);
    expect((await request(site).get(path).set('If-Match', '"eggs"')).status).toBe(412);
  });

  test('leaves error pages of Express as they are (COND-04)', async () => {
    const missing = await request(makeSite()).get('/missing').set('If-None-Match', '*');
    expect(missing.status).toBe(404);
    expect(missing.text).toContain('Cannot GET');
  });
});
