// Who changes something sees the change: POST, redirect, GET, at once on the same connection.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as cachewright from 'cachewright';
import { type RecordingProxy, recordingProxy } from '../support/recording-proxy';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { UNHURRIED } from '../support/unhurried';
import { closeLater, type Loose, openSite, row, useful, useRealApps, Visitor } from './support';

useRealApps();

/** In a thread of its own, so that it asks the moment it is answered. */
const CLIENT = `
const { workerData: { port, rounds }, parentPort } = require('node:worker_threads');
const socket = require('node:net').connect(port, '127.0.0.1').setNoDelay(true);
const head = (method) => method + ' /list HTTP/1.1\\r\\nHost: www.example.com\\r\\n' +
  (method === 'POST' ? 'Content-Length: 0\\r\\n' : '') + '\\r\\n';
const send = (method) => new Promise((resolve) => {
  let all = '';
  const take = (data) => {
    all += data;
    const [fields, body] = all.split('\\r\\n\\r\\n');
    const length = /content-length: (\\d+)/i.exec(fields)?.[1];
    if (body === undefined || body.length < Number(length)) return;
    socket.off('data', take);
    resolve(body);
  };
  socket.on('data', take);
  socket.write(head(method));
});
(async () => {
  const seen = [];
  for (let i = 0; i < rounds; i++) {
    await send('GET');
    await new Promise((resolve) => setTimeout(resolve, 10));
    await send('GET');
    await send('POST');
    seen.push(await send('GET'));
  }
  parentPort.postMessage(seen);
  socket.destroy();
})();`;

const ROUNDS = 40;

async function changesOf(port: number): Promise<string[]> {
  const worker = new Worker(CLIENT, { eval: true, workerData: { port, rounds: ROUNDS } });
  closeLater(() => worker.terminate());
  const [seen] = await once(worker, 'message');
  return seen as string[];
}

/** Stores whose purges may take longer than the response to the POST. */
function rows(name: string, configure: () => Loose, held: Loose = []): void {
  const mounts = ['pair', 'after', 'app', 'page'] as const;
  row(`D5 ${name}: the redirect shows the change`, { mounts, held }, async (place) => {
    const settings = configure();
    if (settings !== undefined) {
      cachewright.configureCaches(settings);
      closeLater(() => (cachewright.caches as Loose).closeAll?.());
    }
    let posts = 0;
    // A purge of this URL, whatever the mount: the POST goes by `cachePage`, too.
    const site = await openSite({
      ...place,
      setup: (app) => {
        if (place.mount === 'page') app.post('/list', (cachewright as Loose).cachePage(60));
      },
      routes: {
        'GET /list': () => `posts ${posts}`,
        'POST /list': (_req, res) => {
          posts += 1;
          res.redirect(303, '/list');
        },
      },
    });
    const seen = await changesOf(site.port);
    expect(seen).toEqual(Array.from({ length: ROUNDS }, (_, i) => `posts ${i + 1}`));
    const [ann, bob] = [new Visitor(site), new Visitor(site)];
    await ann.get('/list');
    await new Promise((resolve) => setTimeout(resolve, 30));
    const before = site.renders['/list']!;
    expect(await bob.text('/list')).toBe(`posts ${ROUNDS}`);
    useful(() => expect(site.renders['/list']).toBe(before));
  });
}

rows('local memory', () => undefined, ['pair', 'after', 'app', 'page']);

rows('files', () => {
  const location = mkdtempSync(join(tmpdir(), 'cachewright-pages-'));
  closeLater(() => rmSync(location, { recursive: true, force: true }));
  return { default: { backend: 'file', location } };
});

rows('a tier over files', () => {
  const location = mkdtempSync(join(tmpdir(), 'cachewright-pages-'));
  closeLater(() => rmSync(location, { recursive: true, force: true }));
  return {
    default: { backend: 'tiered', location: 'shared' },
    shared: { backend: 'file', location },
  };
});

describeWithServer('redis', 'D5: Redis', () => {
  let redis: RedisServer;
  /** Holds answers back for some milliseconds, as a network would. */
  let far: RecordingProxy;
  beforeAll(async () => {
    redis = await startRedis();
    far = await recordingProxy(redis);
  });
  afterAll(async () => {
    await far?.close();
    await redis?.stop();
  });

  const shared = () => ({
    ...{ backend: 'redis', location: far.url, keyPrefix: String(Math.random()) },
    options: UNHURRIED,
  });
  // In one process, the look-up follows the purge on one connection.
  rows('Redis', () => ({ default: shared() }), ['pair', 'after', 'app', 'page']);
  rows('a tier over Redis', () => ({
    default: { backend: 'tiered', location: 'shared' },
    shared: shared(),
  }));
});
