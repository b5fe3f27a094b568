// A client that goes away, or reads nothing, holds up nobody else.
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as cachewright from 'cachewright';
import {
  ask,
  closeLater,
  HELD,
  type Loose,
  MOUNTS,
  type Mount,
  openSite,
  row,
  serve,
  staticFiles,
  useful,
  useRealApps,
} from './support';

useRealApps();

const { cacheApp, cachePage, fetchFromCache, updateCache } = cachewright as Loose;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const ENOUGH_MS = 3000;

function fileOf(bytes: number): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'cachewright-files-'));
  closeLater(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file.bin');
  writeFileSync(path, Buffer.alloc(bytes, 'x'));
  return { folder, path };
}

/** Milliseconds, and what came. */
async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const startedAt = performance.now();
  const result = await work();
  return { ms: performance.now() - startedAt, result };
}

row('D6 a client that leads a fill and stops reading', {}, async (place) => {
  // More than the sockets of both sides take in.
  const bytes = 24 * 1024 * 1024;
  const { folder } = fileOf(bytes);
  const files = staticFiles(place.framework, folder, { maxAge: '1h' });
  let runs = 0;
  const site = await openSite({
    ...place,
    options: { maxBytes: 32 * 1024 * 1024 },
    last: [
      (req, res, next) => {
        runs += 1;
        return files(req, res, next);
      },
    ],
  });
  const phone = connect(site.port, '127.0.0.1');
  closeLater(() => phone.destroy());
  phone.on('error', () => {}).pause();
  phone.write('GET /file.bin HTTP/1.1\r\nHost: www.example.com\r\n\r\n');
  await sleep(300);
  const { ms, result } = await timed(() => ask(site, '/file.bin', { timeoutMs: 8000 }));
  expect(result.body).toHaveLength(bytes);
  expect(ms).toBeLessThan(ENOUGH_MS);
  await sleep(50);
  const before = runs;
  expect((await ask(site, '/file.bin')).body).toHaveLength(bytes);
  useful(() => expect(runs).toBe(before));
});

/** A handler behind the cache on plain Node, as HTTP/2 has it. */
function listenerOf(mount: Mount, handler: Loose): Loose {
  const wait = (_req: Loose, _res: Loose, next: () => void) => setTimeout(next, 1);
  const chain =
    (...steps: Loose[]) =>
    (req: Loose, res: Loose) => {
      const run = (at: number): void => steps[at](req, res, () => run(at + 1));
      run(0);
    };
  if (mount === 'app') return cacheApp(handler);
  if (mount === 'page') return chain(wait, cachePage(60), handler);
  if (mount === 'after') return chain(wait, updateCache(), fetchFromCache(), handler);
  return chain(updateCache(), wait, fetchFromCache(), handler);
}

const PLAIN = MOUNTS.filter((mount) => mount !== 'before');

for (const mount of PLAIN) {
  test(`D6 a stream of HTTP/2 that is reset by the client [${mount}]${mount === 'app' ? HELD : ''}`, async () => {
    const { path } = fileOf(900_000);
    let runs = 0;
    const server = http2.createServer(
      listenerOf(mount, (_req: Loose, res: Loose) => {
        runs += 1;
        createReadStream(path)
          .on('error', () => {})
          .pipe(res);
      }),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    client.on('error', () => {});
    closeLater(() => {
      client.destroy();
      server.close();
    });
    await once(client, 'connect');
    const get = (target: string) => client.request({ ':path': target, ':authority': 's.test' });
    const visit = async (target: string) => {
      const stream = get(target);
      stream.resume().end();
      await Promise.race([once(stream, 'end'), sleep(6000)]);
    };
    for (let times = 0; times < 3; times += 1) {
      const leaver = get(`/${times}`);
      leaver.on('error', () => {}).end();
      setImmediate(() => leaver.close(http2.constants.NGHTTP2_CANCEL));
      await sleep(30);
      expect((await timed(() => visit(`/${times}`))).ms).toBeLessThan(ENOUGH_MS);
    }
    await sleep(50);
    const before = runs;
    await visit('/0');
    useful(() => expect(runs).toBe(before));
  });

  test(`D6 a pipelined connection that is closed [${mount}]`, async () => {
    const { path } = fileOf(900_000);
    let runs = 0;
    const site = await serve(
      listenerOf(mount, (req: Loose, res: Loose) => {
        if (req.url === '/slow') {
          setTimeout(() => res.end('slow'), ENOUGH_MS);
          return;
        }
        runs += 1;
        createReadStream(path)
          .on('error', () => {})
          .pipe(res);
      }),
    );
    const client = connect(site.port, '127.0.0.1');
    client.on('error', () => {});
    const head = (target: string) => `GET ${target} HTTP/1.1\r\nHost: www.example.com\r\n\r\n`;
    client.write(head('/slow') + head('/hot'));
    await sleep(100);
    client.destroy();
    await sleep(20);
    const { ms, result } = await timed(() => ask(site, '/hot', { timeoutMs: 8000 }));
    expect(result.body).toHaveLength(900_000);
    expect(ms).toBeLessThan(ENOUGH_MS - 500);
    await sleep(50);
    const before = runs;
    expect((await ask(site, '/hot')).body).toHaveLength(900_000);
    useful(() => expect(runs).toBe(before));
  });
}
