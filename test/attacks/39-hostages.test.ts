// An attacker leads the fill of a page that many want, and stalls.
import { once } from 'node:events';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
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

/** What an attacker does once the fill has begun. */
const STALLS: Record<string, (socket: Socket) => void> = {
  'stops reading': (socket) => void socket.pause(),
  'goes away': (socket) => void socket.destroy(),
  'resets the connection': (socket) => void socket.resetAndDestroy(),
};

for (const [name, stall] of Object.entries(STALLS)) {
  row(`39 a client that leads a fill and ${name} holds up nobody`, {}, async (place) => {
    const body = Buffer.alloc(BYTES, 'x');
    const site = await openSite({
      ...place,
      options: { maxBytes: 2 * BYTES },
      routes: {
        'GET /big': (_req, res) => {
          for (let at = 0; at < BYTES; at += BYTES / 16) {
            res.write(body.subarray(at, at + BYTES / 16));
          }
          res.end();
        },
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
      'GET /page': () => 'x'.repeat(200_000),
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
    expect((await ask(site, '/page')).body).toHaveLength(200_000);
  }
  expect(performance.now() - startedAt).toBeLessThan(ENOUGH_MS);
  useful(() => expect(site.renders['/page']).toBeLessThanOrEqual(2));
});

for (const mount of MOUNTS.filter((each) => each !== 'before')) {
  test(`39 a stream of HTTP/2 that is reset holds up nobody [${mount}]`, async () => {
    let runs = 0;
    const page = (_req: Loose, res: Loose) => {
      runs += 1;
      setTimeout(() => res.end('x'.repeat(200_000)), 50);
    };
    const steps: Loose[] =
      mount === 'page' ? [cachePage(60), page] : [updateCache(), fetchFromCache(), page];
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
    const leaver = attacker.request(get).on('error', () => {});
    leaver.end();
    await delay(20);
    leaver.close(http2.constants.NGHTTP2_CANCEL);
    const startedAt = performance.now();
    for (let visits = 0; visits < 3; visits += 1) {
      const stream = victim.request(get);
      let length = 0;
      stream.on('data', (chunk) => {
        length += chunk.length;
      });
      stream.end();
      await once(stream, 'end');
      expect(length).toBe(200_000);
      await delay(20);
    }
    expect(performance.now() - startedAt).toBeLessThan(ENOUGH_MS);
    useful(() => expect(runs).toBeLessThanOrEqual(2));
  });
}
