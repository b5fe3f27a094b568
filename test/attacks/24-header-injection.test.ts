import type { ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fetchFromCache, updateCache } from 'cachewright';
import { encodeFrame } from '../../src/page-cache/frame';
import { PageRecord } from '../../src/page-cache/page-record';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches();
const store = new ByteCache('header-injection');
beforeEach(() => store.clear());

const EVIL = ['a\r\nSet-Cookie: evil=1', 'a\nX: b', 'a\rX: b', 'a\0b', '\u010d\u010a', 'a\x7f'];

/** Ways in which a handler may reflect what it was told. */
const WAYS: Record<string, (res: ServerResponse, value: string) => unknown> = {
  'setHeader()': (res, value) => res.setHeader('X-Name', value),
  'an array': (res, value) => res.setHeader('X-Name', ['fine', value]),
  'appendHeader()': (res, value) => res.appendHeader('X-Name', value),
  'writeHead() with an object': (res, value) => res.writeHead(200, { 'X-Name': value }),
  'writeHead() with a flat array': (res, value) => res.writeHead(200, ['X-Name', value]),
  'writeHead() with pairs': (res, value) => res.writeHead(200, [['X-Name', value]] as never),
  'the reason phrase': (res, value) => res.writeHead(200, value),
};

describe.each(Object.entries(WAYS))('by %s', (_way, reflect) => {
  test.each(EVIL)('%j is refused, and nothing of it stored', async (value) => {
    const respond: Respond = (res, call) => {
      if (call === 1) reflect(res, value);
      res.end('the page');
    };
    const { app } = pageApp(respond, { options: { cache: store } });
    const { headers } = await visit(app, '/page').expect(500);
    expect(headers).not.toHaveProperty('set-cookie');
    await settled();
    expect(store.entries.size).toBe(0);
    await visit(app, '/page').expect(200, 'the page');
  });
});

test.each(EVIL)('a stored header that holds %j is never sent', async (value) => {
  const told: unknown[] = [];
  const { app, origin } = pageApp((res) => res.end('the page'), {
    options: { cache: store, onError: (error) => told.push(error) },
  });
  await visit(app, '/page');
  await settled();
  const [key, entry] = [...store.entries][0]!;
  const own = PageRecord.from(entry.bytes)!;
  const { response } = own;
  for (const forged of [
    { ...response!, fields: ['X-Name', value] },
    { ...response!, fields: ['X-Name', ['fine', value]] },
    { ...response!, fields: [value, 'X-Name'] },
    { ...response!, reason: value },
  ]) {
    // Whoever forges an entry makes its checksum right.
    const bytes = encodeFrame({ ...own, response: forged });
    store.entries.set(key, { ...entry, bytes });
    told.length = 0;
    const { headers } = await visit(app, '/page').expect(200, 'the page');
    expect(headers).not.toHaveProperty('set-cookie');
    await settled();
    // A bare line end makes lines of the frame: two fields, of which one has no value.
    expect(told).toHaveLength(1);
  }
  expect(origin.calls).toBe(5);
});

test('what HTTP/2 lets a handler set is not stored for HTTP/1', async () => {
  const update = updateCache({ cache: store });
  const fetch = fetchFromCache();
  let calls = 0;
  const server = http2.createServer((req, res) => {
    update(req as never, res as never, () =>
      fetch(req as never, res as never, () => {
        calls += 1;
        res.setHeader('x-name', '\u0100\u010d');
        res.end('the page');
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    for (const _visit of [1, 2]) {
      await new Promise((resolve) => {
        const stream = client.request({ ':path': '/page' });
        // The protocol refuses such a value only once the handler is done.
        stream.on('error', resolve).on('close', resolve).resume();
        stream.end();
      });
      await settled();
    }
    expect(calls).toBe(2);
    expect(store.entries.size).toBe(0);
  } finally {
    client.close();
    server.close();
  }
});
