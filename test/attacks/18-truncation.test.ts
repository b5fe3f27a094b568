import http from 'node:http';
import { type AddressInfo, connect, type Server } from 'node:net';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { lines } from '../support/raw-client';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

const store = new ByteCache('truncation');
freshCaches();
beforeEach(() => store.clear());

const WHOLE = `<!doctype html>${'all of it '.repeat(50)}the end`;

/** Something that goes wrong at first, and then the page. */
function site(first: Respond) {
  return pageApp(
    (res, call, req) => {
      // Whatever is written into a closed connection is the attacker's affair.
      res.on('error', () => {});
      return call === 1 ? first(res, call, req) : res.end(WHOLE);
    },
    { options: { cache: store } },
  );
}

const FAULTS: Record<string, Respond> = {
  'destroys the response after half': (res) => {
    res.write(WHOLE.slice(0, 100));
    res.destroy();
  },
  'destroys the socket after half': (res) => {
    res.write(WHOLE.slice(0, 100));
    setImmediate(() => res.socket?.destroy());
  },
  'destroys the socket right after the end': (res) => {
    const { socket } = res;
    res.write(WHOLE.slice(0, 100));
    socket?.destroy();
    res.end(WHOLE.slice(100));
  },
  'announces more than it sends': (res) => {
    res.setHeader('Content-Length', WHOLE.length);
    res.end(WHOLE.slice(0, 100));
    setImmediate(() => res.socket?.destroy());
  },
  'announces less than it sends': (res) => {
    res.setHeader('Content-Length', 100);
    res.end(WHOLE);
    setImmediate(() => res.socket?.destroy());
  },
  'throws after half': (res) => {
    res.write(WHOLE.slice(0, 100));
    throw new Error('lost the database');
  },
  'rejects after half': async (res) => {
    res.write(WHOLE.slice(0, 100));
    await settled();
    throw new Error('lost the database');
  },
  'pipes a stream that breaks': (res) => {
    const chunks = (async function* () {
      yield WHOLE.slice(0, 100);
      await settled();
      throw new Error('lost the disk');
    })();
    pipeline(Readable.from(chunks), res, () => {});
  },
  'pipes through a stream that is destroyed': (res) => {
    const through = new PassThrough();
    pipeline(through, res, () => {});
    through.write(WHOLE.slice(0, 100));
    setImmediate(() => through.destroy());
  },
};

test.each(Object.entries(FAULTS))('a handler that %s stores nothing', async (_what, first) => {
  const { app, origin } = site(first);
  await visit(app, '/page').then(
    () => undefined,
    () => undefined,
  );
  await settled();
  expect(origin.calls).toBe(1);
  expect(store.entries.size).toBe(0);
  await visit(app, '/page').expect(200, WHOLE);
  await settled();
  await visit(app, '/page').expect(200, WHOLE);
  expect(origin.calls).toBe(2);
});

describe('a client that hangs up', () => {
  let server: Server;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  test.each([
    ['before the head', 0],
    ['after the first part', 1],
    ['after the second part', 2],
  ])('%s leaves no entry', async (_when, parts) => {
    let isClosed = false;
    const { app, origin } = site(async (res) => {
      res.on('close', () => {
        isClosed = true;
      });
      for (let part = 1; part <= parts; part++) res.write(`part ${part},`);
      while (!isClosed) await settled();
      // By itself Node makes no head for a client that is gone.
      if (parts === 0) res.writeHead(200);
      res.end('the end');
    });
    server = http.createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let received = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.write(lines('GET /page HTTP/1.1', 'Host: www.example.com'));
    const last = parts === 0 ? '' : `part ${parts},`;
    while (origin.calls === 0 || !received.includes(last)) await settled();
    socket.resetAndDestroy();
    while (!isClosed) await settled();
    await settled();
    expect(store.entries.size).toBe(0);
    await visit(app, '/page').expect(200, WHOLE);
    await settled();
    await visit(app, '/page').expect(200, WHOLE);
    expect(origin.calls).toBe(2);
  });
});
