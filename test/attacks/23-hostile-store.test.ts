import { crc32 } from 'node:zlib';
import type { PageCacheFailure } from 'cachewright';
import fc from 'fast-check';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches();
const store = new ByteCache('hostile-store');
const told: (PageCacheFailure & { message: string })[] = [];
beforeEach(async () => {
  await store.clear();
  told.length = 0;
});

const site = (respond?: Respond) =>
  pageApp(respond, {
    options: {
      cache: store,
      onError: (error, failure) => told.push({ ...failure, message: (error as Error).message }),
    },
  });

/** The key in the store of the page that was stored last. */
const lastKey = () => [...store.entries.keys()].at(-1)!;

function resum(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(44), crc32(frame.subarray(0, 40))), 40);
  return frame;
}

type Change = (frame: Buffer) => Uint8Array;

const CHANGES: Record<string, Change> = {
  'cut in half': (frame) => frame.subarray(0, frame.length / 2),
  'cut by one byte': (frame) => frame.subarray(0, -1),
  'cut to its head': (frame) => frame.subarray(0, 44),
  'cut to its magic': (frame) => frame.subarray(0, 4),
  emptied: () => Buffer.alloc(0),
  'longer by a byte': (frame) => Buffer.concat([frame, Buffer.alloc(1)]),
  'twice itself': (frame) => Buffer.concat([frame, frame]),
  zeros: (frame) => Buffer.alloc(frame.length),
  'foreign bytes': () => Buffer.from('<?php echo "hello"; ?>'.repeat(9)),
  JSON: () => Buffer.from('{"status":200,"body":"evil","__proto__":{"polluted":1}}'),
  'of another magic': (frame) => {
    frame.write('EVIL');
    return resum(frame);
  },
  'of a later version': (frame) => {
    frame.writeUInt8(9, 4);
    return resum(frame);
  },
  'with a text of four gigabytes': (frame) => {
    frame.writeUInt32BE(0xffff_fff0, 32);
    return resum(frame);
  },
  'with a body of four gigabytes': (frame) => {
    frame.writeUInt32BE(0xffff_fff0, 36);
    return resum(frame);
  },
  'with lengths that wrap around': (frame) => {
    frame.writeUInt32BE(0xffff_ffff, 32);
    frame.writeUInt32BE(frame.length - 44 + 1, 36);
    return resum(frame);
  },
  'with another status': (frame) => {
    frame.writeUInt16BE(503, 6);
    return frame;
  },
  'with a status no response can have': (frame) => {
    frame.writeUInt16BE(7, 6);
    return resum(frame);
  },
  'with a flipped bit in the body': (frame) => {
    frame[frame.length - 1]! ^= 1;
    return frame;
  },
};

test.each(Object.entries(CHANGES))('an entry %s is a miss and a report', async (_how, change) => {
  const { app, origin } = site();
  await visit(app, '/page').expect(200, 'page 1');
  await settled();
  const entry = store.entries.get(lastKey())!;
  entry.bytes = change(Buffer.from(entry.bytes));
  const { arrayBuffers } = process.memoryUsage();
  await visit(app, '/page').expect(200, 'page 2');
  expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(16 * 2 ** 20);
  expect(told).toEqual([
    {
      operation: 'read',
      key: lastKey().replace(/^:1:/, ''),
      message: expect.stringContaining('not a whole page'),
    },
  ]);
  await settled();
  await visit(app, '/page').expect(200, 'page 2');
  expect(origin.calls).toBe(2);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

// A list has no status, and whatever stands in its place means nothing.
const { 'with a status no response can have': _, ...CHANGES_OF_LISTS } = CHANGES;

test.each(Object.entries(CHANGES_OF_LISTS))(
  'a vary list %s is a miss and a report',
  async (_how, change) => {
    const { app } = site((res, call) => {
      res.setHeader('Vary', 'X-A');
      res.end(`page ${call}`);
    });
    const page = () => visit(app, '/page').set('X-A', '1');
    await page().expect(200, 'page 1');
    await settled();
    const [list] = store.entries.values();
    list!.bytes = change(Buffer.from(list!.bytes));
    await page().expect(200, 'page 2');
    expect(told.length).toBeGreaterThan(0);
    await settled();
    await page().expect(200, 'page 2');
  },
);

test('whatever bytes stand in for an entry, the page is served', async () => {
  const { app } = site((res) => res.end('the page'));
  await visit(app, '/page');
  await settled();
  const key = lastKey();
  const { bytes, expiresAt } = store.entries.get(key)!;
  const frame = Buffer.from(bytes);
  const change = fc.record({
    at: fc.nat(frame.length - 1),
    bytes: fc.uint8Array({ maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.boolean(), async (changes, summed) => {
      const changed = Buffer.from(frame);
      for (const { at, bytes } of changes) changed.set(bytes.subarray(0, frame.length - at), at);
      if (summed) resum(changed);
      store.entries.set(key, { bytes: changed, expiresAt });
      await visit(app, '/page').expect(({ status }) => {
        // With a checksum made to fit, the forger may choose what is said, but breaks nothing.
        if (!summed) expect(status).toBe(200);
        else expect(status).toBeLessThan(600);
      });
    }),
    { numRuns: 200 },
  );
});

describe('a frame copied over', () => {
  /** Stores `victim` and `other`, and puts the entry of `other` in the place of `victim`'s. */
  async function copyOver(
    app: ReturnType<typeof site>['app'],
    victim: () => ReturnType<typeof visit>,
    other: () => ReturnType<typeof visit>,
  ) {
    await victim();
    await settled();
    const key = lastKey();
    await other();
    await settled();
    const stolen = store.entries.get(lastKey())!;
    expect(lastKey()).not.toBe(key);
    store.entries.set(key, stolen);
    told.length = 0;
    return app;
  }

  test('from another URL is a miss and a report', async () => {
    const { app } = site((res, _call, req) => res.end(`at ${req.url}`));
    await copyOver(
      app,
      () => visit(app, '/public'),
      () => visit(app, '/admin'),
    );
    await visit(app, '/public').expect(200, 'at /public');
    expect(told).toMatchObject([
      { operation: 'read', message: 'The entry is that of http://www.example.com/admin.' },
    ]);
  });

  test('from HEAD over GET is a miss and a report', async () => {
    const { app } = site((res, call) => {
      res.setHeader('Content-Length', 6);
      res.end(`page ${call}`);
    });
    await visit(app, '/page', 'head');
    await settled();
    const head = store.entries.get(lastKey())!;
    await visit(app, '/page').expect('page 2');
    await settled();
    store.entries.set(lastKey(), head);
    await visit(app, '/page').expect(200, 'page 3');
    expect(told).toHaveLength(1);
  });

  test('from another variant is a miss and a report', async () => {
    const { app } = site((res, _call, req) => {
      res.setHeader('Vary', 'Cookie');
      res.end(`secrets of ${req.headers.cookie}`);
    });
    const as = (cookie: string) => visit(app, '/account').set('Cookie', cookie);
    await copyOver(
      app,
      () => as('sid=ann'),
      () => as('sid=bob'),
    );
    await as('sid=ann').expect('secrets of sid=ann');
    expect(told).toHaveLength(1);
  });

  test('from another site, by the prefix of its key, is a miss and a report', async () => {
    const siteOf = (keyPrefix: string) =>
      pageApp((res) => res.end(`site ${keyPrefix}`), {
        options: {
          cache: store,
          keyPrefix,
          onError: (_error, failure) => told.push(failure as never),
        },
      });
    const [one, other] = [siteOf('one'), siteOf('other')];
    await copyOver(
      one.app,
      () => visit(one.app, '/page'),
      () => visit(other.app, '/page'),
    );
    await visit(one.app, '/page').expect(200, 'site one');
    expect(told).toHaveLength(1);
  });
});
