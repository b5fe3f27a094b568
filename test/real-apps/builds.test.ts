// A process of the build before, whose pages have another layout, and one of this, over one Redis.
import { crc32 } from 'node:zlib';
import { caches, configureCaches } from 'cachewright';
import { Redis } from 'ioredis';
import { eventually } from '../support/eventually';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { UNHURRIED } from '../support/unhurried';
import { openSite, row, useRealApps, Visitor, wholeOf } from './support';

/** Of the layout of version 2. */
const HEAD_LENGTH = 68;
const MAGIC = 'CWPG';

interface OldPage {
  readonly key: string;
  readonly url: string;
  readonly vary?: string;
  /** `undefined`: the list of headers of a page that varies. */
  readonly body?: string;
}

/** A page as the build before stores it. */
function oldFrame({ key, url, vary = '', body }: OldPage): Buffer {
  const fields = body === undefined ? [] : ['Content-Type', 'text/html'];
  const text = Buffer.from([key, url, '', vary, '[]', '', ...fields].join('\n'));
  const frame = Buffer.alloc(HEAD_LENGTH + text.length + (body?.length ?? 0));
  frame.write(MAGIC);
  frame.writeUInt8(2, 4);
  frame.writeUInt8(body === undefined ? 0 : 1, 5);
  frame.writeUInt16BE(body === undefined ? 0 : 200, 6);
  frame.writeDoubleBE(1, 8);
  const instants = [Date.now() + 3_600_000, Date.now(), Date.now() + 3_600_000, Number.NaN];
  for (const [i, instant] of instants.entries()) frame.writeDoubleBE(instant, 16 + 8 * i);
  frame.writeUInt32BE(text.length, 56);
  frame.writeUInt32BE(body?.length ?? 0, 60);
  frame.set(text, HEAD_LENGTH);
  frame.write(body ?? '', HEAD_LENGTH + text.length);
  frame.writeUInt32BE(crc32(frame.subarray(HEAD_LENGTH), crc32(frame.subarray(0, 64))), 64);
  return frame;
}

/** The body of a page as the build before reads it; `undefined`: it takes it for a miss. */
function readByOld(frame: Buffer): string | undefined {
  if (frame.toString('latin1', 0, 4) !== MAGIC || frame.readUInt8(4) !== 2) return undefined;
  const checksum = crc32(frame.subarray(HEAD_LENGTH), crc32(frame.subarray(0, 64)));
  if (checksum !== frame.readUInt32BE(64)) return undefined;
  return frame.toString('utf8', HEAD_LENGTH + frame.readUInt32BE(56));
}

describeWithServer('redis', 'an old and a new process over one Redis', () => {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
  });
  useRealApps();
  beforeEach(async () => {
    configureCaches({ default: { backend: 'redis', location: server.url, options: UNHURRIED } });
    await client.flushall();
  });
  afterEach(() => caches.closeAll());
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  /** The only page in Redis: its key, and its frame with the bytes that stand before it. */
  async function storedPage() {
    const { key, bytes } = await eventually(async () => {
      const keys = (await client.keys('*cache_page*')).filter((each) => !each.endsWith('.lease'));
      expect(keys).toHaveLength(1);
      const found = (await client.getBuffer(keys[0]!))!;
      // What holds its place until it is written has no frame.
      expect(found.includes(MAGIC)).toBe(true);
      return { key: keys[0]!, bytes: found };
    });
    const start = bytes.indexOf(MAGIC);
    const frame = bytes.subarray(start);
    const text = frame.toString('utf8', HEAD_LENGTH, HEAD_LENGTH + frame.readUInt32BE(56));
    const [name, url] = text.split('\n') as [string, string];
    return { key, prefix: bytes.subarray(0, start), frame, name, url };
  }

  const OLD: Record<string, Partial<OldPage>> = {
    'a page': { body: 'of the old build' },
    'a page that varies': { vary: 'cookie', body: 'of the old build' },
    'a list of headers': { vary: 'cookie' },
  };

  for (const [name, page] of Object.entries(OLD)) {
    row(`two builds: ${name} of the build before is a miss, and is replaced`, {}, async (place) => {
      // Told that an entry is no page of this build.
      const onError = jest.fn();
      const site = await openSite({
        ...place,
        options: { onError },
        routes: { 'GET /news': () => 'the news' },
      });
      await new Visitor(site).get('/news');
      const { key, prefix, name: pageKey, url } = await storedPage();
      const old = oldFrame({ key: pageKey, url, ...page });
      await client.set(key, Buffer.concat([prefix, old]));
      // The build before would take it.
      expect(readByOld(old)).toBe(page.body ?? '');

      const before = site.renders['/news']!;
      const first = await new Visitor(site).get('/news');
      expect(wholeOf(first)).not.toContain('of the old build');
      expect({ status: first.status, text: first.text }).toEqual({ status: 200, text: 'the news' });
      expect(first.outcome).toMatch(/fwd=uri-miss/);
      expect(site.renders['/news']).toBe(before + 1);
      await eventually(async () => {
        const { text, outcome } = await new Visitor(site).get('/news');
        expect({ text, isHit: /; hit/.test(outcome) }).toEqual({ text: 'the news', isHit: true });
      });
      const { frame } = await storedPage();
      expect(frame.readUInt8(4)).toBeGreaterThan(2);
    });
  }

  row('two builds: the build before takes a page of this one for a miss', {}, async (place) => {
    const site = await openSite({ ...place, routes: { 'GET /news': () => 'the news' } });
    await new Visitor(site).get('/news');
    expect(readByOld((await storedPage()).frame)).toBeUndefined();
  });
});
