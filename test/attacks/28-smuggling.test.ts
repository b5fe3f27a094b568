import type { ServerResponse } from 'node:http';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { bodiesIn, lastLines, lines, type RawSite, serveRaw } from '../support/raw-client';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches();

const GET = (path: string, ...headers: string[]) =>
  lines(`GET ${path} HTTP/1.1`, 'Host: www.example.com', ...headers);
const HEAD = (path: string) => lines(`HEAD ${path} HTTP/1.1`, 'Host: www.example.com');
const LAST = lastLines('GET /last HTTP/1.1', 'Host: www.example.com');

let site: RawSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

describe('fields of the connection', () => {
  const HOP_BY_HOP: Record<string, string> = {
    Connection: 'keep-alive, X-Internal',
    'Keep-Alive': 'timeout=999',
    'Proxy-Authenticate': 'Basic',
    'Proxy-Authentication-Info': 'x',
    'Proxy-Connection': 'keep-alive',
    TE: 'trailers',
    Upgrade: 'h2c',
    'X-Internal': 'of this connection',
  };

  test('are not stored, nor those that Connection names', async () => {
    const { app, origin } = pageApp((res) => {
      for (const [name, value] of Object.entries(HOP_BY_HOP)) res.setHeader(name, value);
      res.setHeader('X-Kept', 'yes');
      res.end('page');
    });
    await visit(app, '/page').expect('X-Internal', 'of this connection');
    const { headers } = await visit(app, '/page').expect(200, 'page').expect('X-Kept', 'yes');
    expect(origin.calls).toBe(1);
    const { connection, 'keep-alive': keepAlive, ...others } = headers;
    expect(connection).not.toContain('X-Internal');
    expect(keepAlive ?? '').not.toContain('999');
    for (const name of Object.keys(HOP_BY_HOP)) {
      expect(others).not.toHaveProperty([name.toLowerCase()]);
    }
  });

  test.each(['chunked', 'gzip, chunked'])('Transfer-Encoding: %s is not stored', async (value) => {
    const { app, origin } = pageApp((res) => {
      res.setHeader('Transfer-Encoding', value);
      res.end('page');
    });
    site = await serveRaw(app);
    await site.exchange(lastLines('GET /page HTTP/1.1', 'Host: www.example.com'));
    await settled();
    const answer = await site.exchange(GET('/page') + LAST);
    // The second page is a miss, in chunks; the first one's end is told by its length alone.
    const head = answer.slice(0, answer.indexOf('\r\n\r\n'));
    expect(head).toMatch(/^content-length: 4$/im);
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(origin.calls).toBe(2);
  });

  test.each([
    ['announced', true, false],
    ['sent', false, true],
    ['announced and sent', true, true],
  ])('trailers %s keep a page from being stored', async (_how, isAnnounced, isSent) => {
    const { app, origin } = pageApp((res) => {
      if (isAnnounced) res.setHeader('Trailer', 'X-Sum');
      res.write('page');
      if (isSent) res.addTrailers({ 'X-Sum': '1' });
      res.end();
    });
    await visit(app, '/page').expect(200, 'page');
    await visit(app, '/page').expect(200, 'page');
    expect(origin.calls).toBe(2);
  });
});

describe('a length that is not that of the body', () => {
  const LENGTHS: Record<string, (res: ServerResponse) => void> = {
    'too large': (res) => res.setHeader('Content-Length', '5'),
    'too small': (res) => res.setHeader('Content-Length', '3'),
    'told twice': (res) => res.setHeader('Content-Length', ['4', '5']),
    'told twice, the right one last': (res) => res.setHeader('Content-Length', ['5', '4']),
    'told twice by writeHead()': (res) =>
      void res.writeHead(200, ['Content-Length', '4', 'Content-Length', '5']),
    'no number': (res) => res.setHeader('Content-Length', '4x'),
    'in other digits': (res) => res.setHeader('Content-Length', '0x4'),
    negative: (res) => res.setHeader('Content-Length', '-4'),
  };

  test.each(Object.entries(LENGTHS))('%s, is not stored', async (_how, setLength) => {
    const { app, origin } = pageApp((res, call) => {
      const { socket } = res;
      res.on('error', () => {});
      if (call === 1) setLength(res);
      res.end('page');
      if (call === 1) setImmediate(() => socket?.destroy());
    });
    site = await serveRaw(app);
    await site.exchange(GET('/page')).catch(() => undefined);
    await settled();
    for (const _visit of [1, 2]) {
      const answer = await site.exchange(lastLines('GET /page HTTP/1.1', 'Host: www.example.com'));
      expect(bodiesIn(answer, ['GET'])).toEqual(['page']);
      await settled();
    }
    expect(origin.calls).toBe(2);
  });

  test.each(Object.entries(LENGTHS).filter(([how]) => !how.startsWith('too')))(
    '%s, is not stored for HEAD either',
    async (_how, setLength) => {
      const { app, origin } = pageApp((res, call) => {
        if (call === 1) setLength(res);
        res.end();
      });
      site = await serveRaw(app);
      const head = lastLines('HEAD /page HTTP/1.1', 'Host: www.example.com');
      await site.exchange(head);
      await settled();
      const answer = await site.exchange(head);
      expect(answer).not.toMatch(/^content-length: (?!0\r)/im);
      expect(origin.calls).toBe(2);
    },
  );

  test('by HEAD stays with HEAD, where it puts nobody out of step', async () => {
    const { app } = pageApp((res, _call, req) => {
      if (req.method === 'HEAD') res.setHeader('Content-Length', '999');
      else res.setHeader('Content-Length', '4');
      res.end('page');
    });
    site = await serveRaw(app);
    for (const _visit of [1, 2]) {
      const answer = await site.exchange(HEAD('/page') + GET('/page') + HEAD('/page') + LAST);
      expect(bodiesIn(answer, ['HEAD', 'GET', 'HEAD', 'GET'])).toEqual(['', 'page', '', 'page']);
      await settled();
    }
  });

  test('is told once where the page came in chunks', async () => {
    const { app } = pageApp((res) => {
      res.write('pa');
      setImmediate(() => res.end('ge'));
    });
    await visit(app, '/page').expect(200, 'page');
    const { headers } = await visit(app, '/page').expect(200, 'page');
    expect(headers['content-length']).toBe('4');
    expect(headers).not.toHaveProperty('transfer-encoding');
  });
});

describe('requests one behind the other', () => {
  const echoApp = () =>
    pageApp((res, _call, req) => {
      const body = `at ${req.url}`;
      res.setHeader('Content-Length', body.length);
      res.end(body);
    });

  test('get each their own page, hit or miss, GET or HEAD', async () => {
    const { app } = echoApp();
    site = await serveRaw(app);
    const all = GET('/a') + GET('/b') + HEAD('/a') + GET('/a') + GET('/b') + LAST;
    const methods = ['GET', 'GET', 'HEAD', 'GET', 'GET', 'GET'];
    for (const _visit of [1, 2]) {
      const answer = await site.exchange(all);
      expect(bodiesIn(answer, methods)).toEqual([
        'at /a',
        'at /b',
        '',
        'at /a',
        'at /b',
        'at /last',
      ]);
      await settled();
    }
  });

  const SMUGGLED = GET('/evil');

  test.each([
    ['of a length', [`Content-Length: ${SMUGGLED.length}`], SMUGGLED],
    [
      'in chunks',
      ['Transfer-Encoding: chunked'],
      `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    ],
    ['of a megabyte', ['Content-Length: 1048576'], 'x'.repeat(1048576)],
  ])('a body %s that nobody reads is not taken for a request', async (_how, headers, body) => {
    const { app, origin } = echoApp();
    site = await serveRaw(app);
    // Stored first, so that a cache that ignored the body would have a hit.
    const first = await site.exchange(lastLines('GET /page HTTP/1.1', 'Host: www.example.com'));
    expect(bodiesIn(first, ['GET'])).toEqual(['at /page']);
    await settled();
    const answer = await site.exchange(GET('/page', ...headers) + body + GET('/page') + LAST);
    expect(bodiesIn(answer, ['GET', 'GET', 'GET'])).toEqual(['at /page', 'at /page', 'at /last']);
    // Once for the page, once for the request with a body, once for the last.
    expect(origin.calls).toBe(3);
  });
});
