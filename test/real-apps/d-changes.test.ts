// Who changes something sees the change: POST, redirect, GET, at once on the same connection.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as cachewright from 'cachewright';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { UNHURRIED } from '../support/unhurried';
import type { ChangesPlan } from './changes-process';
import {
  ask,
  closeLater,
  type Loose,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from './support';

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

async function changesOf(port: number, rounds: number): Promise<string[]> {
  const worker = new Worker(CLIENT, { eval: true, workerData: { port, rounds } });
  closeLater(() => worker.terminate());
  const [seen] = await once(worker, 'message');
  return seen as string[];
}

/** Stores whose purges may take longer than the response to the POST. */
function rows(name: string, configure: () => Loose, held: Loose = []): void {
  const mounts = ['pair', 'after', 'app', 'page'] as const;
  // Where each round takes long, two processes have all of them.
  const rounds = /tier|Redis/.test(name) ? ROUNDS / 4 : ROUNDS;
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
    const seen = await changesOf(site.port, rounds);
    expect(seen).toEqual(Array.from({ length: rounds }, (_, i) => `posts ${i + 1}`));
    const [ann, bob] = [new Visitor(site), new Visitor(site)];
    await ann.get('/list');
    await new Promise((resolve) => setTimeout(resolve, 30));
    const before = site.renders['/list']!;
    expect(await bob.text('/list')).toBe(`posts ${rounds}`);
    useful(() => expect(site.renders['/list']).toBe(before));
  });
}

/** As {@link rows}, but the POST goes to the first of two processes, and the GET to the second. */
function rowsOfTwo(name: string, configure: () => readonly [object, object]): void {
  for (const mount of ['pair', 'app'] as const) {
    test(`D5 ${name}, two processes: the redirect shows the change [${mount}, Express 5]`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cachewright-count-'));
      closeLater(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(folder, 'count');
      writeFileSync(file, '0');
      const [first, second] = configure();
      const { CACHEWRIGHT_BUILD: build = join(__dirname, '../../src/index.ts') } = process.env;
      const open = (settings: object) => openProcess({ build, settings, mount, file });
      const sites = [await open(first), await open(second)] as const;
      const agent = new http.Agent({ keepAlive: true });
      closeLater(() => agent.destroy());
      const seen: string[] = [];
      let hits = 0;
      for (let posts = 1; posts <= ROUNDS; posts += 1) {
        for (const site of [...sites, ...sites]) {
          const { outcome } = await ask(site, '/list', { agent });
          if (/\bhit\b/.test(outcome)) hits += 1;
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
        await ask(sites[0], '/list', { method: 'POST', body: '', agent });
        seen.push((await ask(sites[1], '/list', { agent })).text);
      }
      expect(seen).toEqual(Array.from({ length: ROUNDS }, (_, i) => `posts ${i + 1}`));
      useful(() => expect(hits).toBeGreaterThan(ROUNDS));
    });
  }
}

async function openProcess(plan: ChangesPlan): Promise<{ port: number }> {
  const script = join(__dirname, 'changes-process.ts');
  const child = fork(script, [JSON.stringify(plan)], { execArgv: ['--import', 'tsx'] });
  closeLater(async () => {
    const exited = once(child, 'exit');
    if (child.connected) child.disconnect();
    await exited;
  });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('The process has ended.')));
  const [port] = (await Promise.race([once(child, 'message'), ended])) as [number];
  ended.catch(() => {});
  return { port };
}

rows('local memory', () => undefined, ['pair', 'after', 'app', 'page']);

function files(): object {
  const location = mkdtempSync(join(tmpdir(), 'cachewright-pages-'));
  // Another process may still be writing its last page.
  closeLater(() => rmSync(location, { recursive: true, force: true, maxRetries: 10 }));
  return { backend: 'file', location };
}

const twice = (settings: object) => [settings, settings] as const;

const tierOver = (shared: object) => ({
  // Over files, each change waits for so long.
  default: { backend: 'tiered', location: 'shared', options: { trustMs: 60 } },
  shared,
});

rows('files', () => ({ default: files() }));
rows('a tier over files', () => tierOver(files()));
rowsOfTwo('files', () => twice({ default: files() }));
rowsOfTwo('a tier over files', () => twice(tierOver(files())));

/** What stands before a server and holds back what clients send, as a network may. */
async function slowProxy(port: number, ms: number): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true).on('error', () => {});
    }
    client.on('data', (chunk) => setTimeout(() => upstream.write(chunk), ms));
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

describeWithServer('redis', 'D5: Redis', () => {
  let redis: RedisServer;
  let far: { url: string; close(): void };
  beforeAll(async () => {
    redis = await startRedis();
    far = await slowProxy(redis.port, 10);
  });
  afterAll(async () => {
    far?.close();
    await redis?.stop();
  });

  const at = (location: string, keyPrefix = String(Math.random())) => ({
    ...{ backend: 'redis', location, keyPrefix },
    options: UNHURRIED,
  });
  /** The process that changes something is farther from Redis than the one that shows it. */
  const near = (wrap: (shared: object) => object) => {
    const keyPrefix = String(Math.random());
    return [wrap(at(far.url, keyPrefix)), wrap(at(redis.url, keyPrefix))] as const;
  };
  // In one process, the look-up follows the purge on one connection.
  rows('Redis', () => ({ default: at(far.url) }), ['pair', 'after', 'app', 'page']);
  rows('a tier over Redis', () => tierOver(at(far.url)));
  rowsOfTwo('Redis', () => near((shared) => ({ default: shared })));
  rowsOfTwo('a tier over Redis', () => near(tierOver));
});
