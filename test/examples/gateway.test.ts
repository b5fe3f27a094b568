import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { makeGateway } from '../../examples/gateway';
import { freshCaches } from '../support/fresh-caches';
import { type Site, serveHttp1 } from '../support/http-client';
import { lastLines, serveRaw } from '../support/raw-client';
import { freePort } from '../support/servers/free-port';

freshCaches();

let origin: http.Server;
let gateway: Site;
let calls: number;

/** The gateway in front of an origin that answers like this. */
async function before(listener: http.RequestListener): Promise<void> {
  calls = 0;
  origin = http.createServer((req, res) => {
    calls += 1;
    listener(req, res);
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  gateway = await serveHttp1(
    makeGateway(`http://127.0.0.1:${(origin.address() as AddressInfo).port}`),
  );
}

afterEach(async () => {
  if (!origin?.listening) return;
  await gateway.close();
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
});

test('stores what the origin says, and adds no field but Age and the date of arrival', async () => {
  await before((_req, res) => {
    res.sendDate = false;
    res.writeHead(200, 'Quite Fine', [
      ...['Cache-Control', 'max-age=60', 'X-One', '1', 'Link', '</a>', 'Link', '</b>'],
      ...['Connection', 'close, X-Gone', 'X-Gone', '1', 'Content-Length', '4'],
    ]);
    res.end('page');
  });
  const miss = await gateway.get('/page');
  const hit = await gateway.get('/page');
  expect(calls).toBe(1);
  const kept = ({ lines }: typeof miss) =>
    lines.filter((line) => !/^(connection|keep-alive):/i.test(line)).sort();
  const sent = [
    'Cache-Control: max-age=60',
    'Content-Length: 4',
    'Link: </a>',
    'Link: </b>',
    'X-One: 1',
  ];
  expect(kept(miss)).toEqual(sent);
  // RFC 9110 §6.6.1 asks for a Date on what is cached; that of now would make the page look new.
  const [date, ...rest] = kept(hit).sort((a) => (a.startsWith('Date: ') ? -1 : 1));
  expect(date).toMatch(/^Date: /);
  expect(rest.sort()).toEqual([expect.stringMatching(/^Age: \d+$/), ...sent]);
  expect([miss.reason, hit.reason]).toEqual(['Quite Fine', 'Quite Fine']);
});

test.each(['PUT', 'M-SEARCH', 'DELETE', 'OPTIONS'])('hands on %s with its body', async (method) => {
  await before((req, res) => {
    let body = '';
    req.on('data', (chunk) => {
      body += chunk;
    });
    req.on('end', () => res.end(`${req.method} ${body} ${req.headers['x-two']}`));
  });
  const answer = await new Promise<string>((resolve, reject) => {
    const headers = { 'X-Two': ['a', 'b'], 'Transfer-Encoding': 'chunked' };
    const req = http.request({ port: gateway.port, host: '127.0.0.1', method, headers }, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve(text));
    });
    req.on('error', reject);
    req.write('some ');
    req.end('body');
  });
  expect(answer).toBe(`${method} some body a, b`);
});

test('hands on interim responses with all their fields, and stores none of them', async () => {
  await before((_req, res) => {
    const socket = res.socket!;
    socket.write('HTTP/1.1 102 Processing\r\nX-Step: 1 of 2\r\n\r\n');
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-Hint: 1\r\n');
    socket.write('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: X-Gone\r\nX-Gone: 1\r\n\r\n');
    socket.write('HTTP/1.1 199 Odd\r\nX-Odd: gr\xfc\xdfe\r\n\r\n', 'latin1');
    res.setHeader('Cache-Control', 'max-age=60');
    res.end('page');
  });
  const interim: string[] = [];
  const finals: string[][] = [];
  const visit = () =>
    new Promise<number>((resolve, reject) => {
      const req = http.get({ port: gateway.port, host: '127.0.0.1', path: '/page' }, (res) => {
        finals.push(Object.keys(res.headers).filter((name) => /^(x-|link|set-)/.test(name)));
        res.resume().on('end', () => resolve(res.statusCode!));
      });
      req.on('information', ({ statusCode, rawHeaders }) => {
        // Those that the final response brings have not come yet.
        interim.push(`${statusCode} ${rawHeaders.join(' ')}`);
        expect(finals).toEqual([]);
      });
      req.on('error', reject);
    });
  expect(await visit()).toBe(200);
  expect(interim).toEqual([
    '102 X-Step 1 of 2',
    '103 Link </style.css>; rel=preload X-Hint 1 Set-Cookie a=1 Set-Cookie b=2',
    '199 X-Odd gr\xfc\xdfe',
  ]);
  expect(await visit()).toBe(200);
  expect(interim).toHaveLength(3);
  expect(finals).toEqual([[], []]);
  expect(calls).toBe(1);
});

test('an origin that refuses is a 502, one that breaks off is no page', async () => {
  await before((_req, res) => {
    res.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Length': '100' });
    res.write('half');
    setImmediate(() => res.destroy());
  });
  for (const _visit of [1, 2]) await expect(gateway.get('/page')).rejects.toThrow();
  expect(calls).toBe(2);
  const alone = await serveHttp1(makeGateway(`http://127.0.0.1:${await freePort()}`));
  expect((await alone.get('/page')).status).toBe(502);
  await alone.close();
});

test.each([
  ['max-age=1', 200],
  ['max-age=1, must-revalidate', 502],
  ['s-maxage=1', 502],
])('once its origin is gone, a page with %s is a %i (RFC 9111 §4.2.4)', async (value, status) => {
  await before((_req, res) => {
    if (calls > 1) res.socket!.destroy();
    else res.setHeader('Cache-Control', value).end('page');
  });
  await gateway.get('/page');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const stale = await gateway.get('/page');
  expect([stale.status, String(stale.body)]).toEqual([status, status === 200 ? 'page' : '']);
  expect(calls).toBe(2);
  expect((await gateway.get('/page', {}, 'POST')).status).toBe(502);
});

test('asks no other origin, whatever the target of a request is', async () => {
  const asked: unknown[] = [];
  const ask = jest.spyOn(http, 'request').mockImplementation(((...args: unknown[]) => {
    const [url, { path }] = args as [string, { path: string }];
    asked.push([new URL(url).host, path]);
    throw new Error('That is enough.');
  }) as never);
  const log = jest.spyOn(console, 'error').mockImplementation();
  const site = await serveRaw(makeGateway('http://origin.com'));
  // Behind `http://origin.com` it would be a host at `origin.company`.
  await site.exchange(lastLines('GET pany://x/secret HTTP/1.1', 'Host: www.example.com'));
  await site.exchange(lastLines('OPTIONS * HTTP/1.1', 'Host: www.example.com'));
  await site.close();
  ask.mockRestore();
  log.mockRestore();
  expect(asked).toEqual([
    ['origin.com', 'pany://x/secret'],
    ['origin.com', '*'],
  ]);
});

test.each([
  'HTTP/1.1 000 Nothing\r\nContent-Length: 4',
  'HTTP/1.1 200 O\x01K\r\nContent-Length: 4',
])('%j of an origin is a 502', async (head) => {
  const broken = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(`${head}\r\n\r\npage`, 'latin1'));
  });
  await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
  const { port } = broken.address() as AddressInfo;
  const alone = await serveHttp1(makeGateway(`http://127.0.0.1:${port}`));
  const { status, body } = await alone.get('/page');
  expect([status, body.toString()]).toEqual([502, '']);
  await alone.close();
  await new Promise((resolve) => broken.close(resolve));
});

test('hints of several links are handed on as they are, and not to HTTP/1.0', async () => {
  const HINTS = [
    'Link: </a.css>; rel=preload; as="style"',
    'Link: </b.js>; rel=preload, </c.js>; crossorigin; rel=preload',
    'Link: nonsense',
  ];
  const hinting = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 103 Early Hints\r\n${HINTS.join('\r\n')}\r\n\r\n`);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage');
    });
  });
  await new Promise<void>((resolve) => hinting.listen(0, '127.0.0.1', resolve));
  const { port } = hinting.address() as AddressInfo;
  const site = await serveRaw(makeGateway(`http://127.0.0.1:${port}`));
  const answer = await site.exchange(lastLines('GET /page HTTP/1.1', 'Host: www.example.com'));
  const [early, final] = answer.split('\r\n\r\n');
  expect(early).toMatch(/^HTTP\/1.1 103 /);
  expect(early!.split('\r\n').slice(1)).toEqual(HINTS);
  expect(final).toMatch(/^HTTP\/1.1 200 OK/);
  const old = await site.exchange(lastLines('GET /old HTTP/1.0', 'Host: www.example.com'));
  expect(old).toMatch(/^HTTP\/1.1 200 OK/);
  await site.close();
  await new Promise((resolve) => hinting.close(resolve));
});
