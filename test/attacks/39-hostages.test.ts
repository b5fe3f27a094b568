// An attacker leads the fill of a page that many want, and stalls.
import { once } from 'node:events';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { cacheApp, cachePage, fetchFromCache, updateCache } from 'cachewright';
import {
  ask,
  closeLater,
  type Loose,
  MOUNTS,
  openSite,
  row,
  useful,
  useRealApps,
} from '../real-apps/support';

useRealApps();

const ENOUGH_MS = 3000;
/** More than the sockets of both sides take in. */
const BYTES = 16 * 1024 * 1024;

const HEAD = (path: string) => `GET ${path} HTTP/1.1\r\nHost: www.example.com\r\n\r\n`;

/** A body that is made as fast as it is taken. */
function pieces(bytes: number): Readable {
  const piece = Buffer.alloc(bytes / 64, 'x');
  return Readable.from(Array.from({ length: 64 }, () => piece));
}

/** What an attacker does once the fill has begun. */
const STALLS: Record<string, (socket: Socket) => void> = {
  'stops reading': (socket) => void socket.pause(),
  'goes away': (socket) => void socket.destroy(),
  'resets the connection': (socket) => void socket.resetAndDestroy(),
};

for (const [name, stall] of Object.entries(STALLS)) {
  row(`39 a client that leads a fill and ${name} holds up nobody`, {}, async (place) => {
    const site = await openSite({
      ...place,
      options: { maxBytes: 2 * BYTES },
      routes: {
        'GET /big': (_req, res) => pieces(BYTES).pipe(res) && undefined,
      },
    });
    const attacker = connect(site.port, '127.0.0.1').on('error', () => {});
    closeLater(() => attacker.destroy());
    attacker.write(HEAD('/big'));
    await once(attacker, 'readable');
    stall(attacker);
    const startedAt = performance.now();
    const victims = await Promise.all([1, 2, 3].map(() => ask(site, '/big', { timeoutMs: 8000 })));
    expect(performance.now() - startedAt).toBeLessThan(ENOUGH_MS);
    for (const victim of victims) expect(victim.body).toHaveLength(BYTES);
    await delay(50);
    const before = site.renders['/big'];
    expect((await ask(site, '/big')).body).toHaveLength(BYTES);
    useful(() => expect(site.renders['/big']).toBe(before));
  });
}

row('39 requests that are pipelined behind a slow one hold up nobody', {}, async (place) => {
  const site = await openSite({
    ...place,
    routes: {
      'GET /slow': () => delay(2 * ENOUGH_MS, 'slow', { ref: false }),
      'GET /page': (_req, res) => pieces(960_000).pipe(res) && undefined,
    },
  });
  const attacker = connect(site.port, '127.0.0.1').on('error', () => {});
  closeLater(() => attacker.destroy());
  // Of the page, no byte can leave before the slow answer has.
  attacker.write(HEAD('/slow') + HEAD('/page'));
  await delay(100);
  const startedAt = performance.now();
  for (const end of [false, true]) {
    if (end) attacker.destroy();
    expect((await ask(site, '/page')).body).toHaveLength(960_000);
  }
  expect(performance.now() - startedAt).toBeLessThan(ENOUGH_MS);
  useful(() => expect(site.renders['/page']).toBeLessThanOrEqual(2));
});

for (const mount of MOUNTS.filter((each) => each !== 'before')) {
  test(`39 a stream of HTTP/2 that is reset holds up nobody [${mount}]`, async () => {
    let runs = 0;
    const page = (_req: Loose, res: Loose) => {
      runs += 1;
      pieces(960_000).pipe(res);
    };
    // A session that is looked up, while the stream goes away.
    const wait = (_req: Loose, _res: Loose, next: () => void) => setTimeout(next, 1);
    const steps: Loose[] =
      mount === 'page'
        ? [wait, cachePage(60), page]
        : [updateCache(), wait, fetchFromCache(), page];
    const chain = (req: Loose, res: Loose) => {
      const run = (at: number): unknown => steps[at]?.(req, res, () => run(at + 1));
      run(0);
    };
    const server = http2.createServer(mount === 'app' ? (cacheApp(page as Loose) as Loose) : chain);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const open = () => {
      const client = http2.connect(`http://127.0.0.1:${port}`).on('error', () => {});
      closeLater(() => client.destroy());
      return client;
    };
    closeLater(() => server.close());
    const get = { ':path': '/page', ':authority': 'www.example.com' };
    const [attacker, victim] = [open(), open()];
    await once(attacker, 'connect');
    const leaver = attacker.request(get).on('error', () => {});
    leaver.end();
    // Right behind the request, so that the handler runs for a stream that is gone.
    setImmediate(() => leaver.close(http2.constants.NGHTTP2_CANCEL));
    await delay(50);
    const startedAt = performance.now();
    for (let visits = 0; visits < 3; visits += 1) {
      const stream = victim.request(get);
      let length = 0;
      stream.on('data', (chunk) => {
        length += chunk.length;
      });
      stream.end();
      await once(stream, 'end');
      expect(length).toBe(960_000);
      await delay(20);
    }
    expect(performance.now() - startedAt).toBeLessThan(ENOUGH_MS);
    useful(() => expect(runs).toBeLessThanOrEqual(2));
  });
}
