import { cachePage, conditionalGet, fetchFromCache, invalidate, updateCache } from 'cachewright';
import express from 'express';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { describeEachStack } from '../support/stacks';
import { tempDirectories } from '../support/temp-directory';
import { visit } from '../support/visit';
import { watchWrites } from '../support/watch-writes';

const tempDirectory = tempDirectories();
freshCaches({ files: { backend: 'file', location: tempDirectory() } });
const clock = stopClock();
const written = watchWrites('files');

const MODIFIED = 'Mon, 05 Jan 2026 11:00:00 GMT';

/** What handlers were asked, of what bears on validation. */
interface Asked {
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly range: string | undefined;
}

/**
 * A page of 10 seconds that says what it was asked, and answers 304 where `etag` or `modified` is
 * what the request has.
 */
function validatingSite(
  validators: { etag?: () => string; modified?: () => string },
  more: Respond = () => {},
  options = {},
) {
  const asked: Asked[] = [];
  const site = pageApp(
    (res, call, req) => {
      const { 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince } = req.headers;
      asked.push({ ifNoneMatch, ifModifiedSince, range: req.headers.range });
      res.setHeader('Cache-Control', 'max-age=10');
      const etag = validators.etag?.();
      const modified = validators.modified?.();
      if (etag !== undefined) res.setHeader('ETag', etag);
      if (modified !== undefined) res.setHeader('Last-Modified', modified);
      more(res, call, req);
      const isSame =
        etag !== undefined
          ? ifNoneMatch === etag
          : modified !== undefined && ifModifiedSince === modified;
      if (isSame) {
        res.statusCode = 304;
        res.end();
      } else {
        res.end(`page ${call}`);
      }
    },
    { options },
  );
  return { ...site, asked };
}

describe.each(['default', 'files'])('in the cache %s', (cache) => {
  test('a stale page is validated by its ETag, and sent again (RFC 9111 §4.3)', async () => {
    const { app, asked } = validatingSite({ etag: () => '"v1"' }, undefined, { cache });
    const first = await visit(app, '/page').expect(200, 'page 1');
    await written();
    clock.advance(10);
    const second = await visit(app, '/page').expect(200, 'page 1');
    expect(asked).toEqual([
      { ifNoneMatch: undefined, ifModifiedSince: undefined },
      { ifNoneMatch: '"v1"', ifModifiedSince: undefined },
    ]);
    expect(second.headers['content-length']).toBe(first.headers['content-length']);
    // It has a whole life again, which every client is told.
    expect(second.headers).not.toHaveProperty('age');
    expect(second.headers.date).toBe(new Date(clock.now()).toUTCString());
    expect(second.headers.expires).toBe(new Date(clock.now() + 10_000).toUTCString());
    await written();
    clock.advance(9);
    const third = await visit(app, '/page').expect(200, 'page 1').expect('Age', '9');
    expect(third.headers.date).toBe(second.headers.date);
    expect(asked).toHaveLength(2);
    clock.advance(1);
    await visit(app, '/page').expect(200, 'page 1');
    expect(asked).toHaveLength(3);
  });

  test('by its Last-Modified, if that is all it has (RFC 9111 §4.3.1)', async () => {
    const { app, asked } = validatingSite({ modified: () => MODIFIED }, undefined, { cache });
    await visit(app, '/page').expect('page 1');
    await written();
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page 1').expect('Last-Modified', MODIFIED);
    expect(asked[1]).toEqual({ ifNoneMatch: undefined, ifModifiedSince: MODIFIED });
  });

  test('a new page replaces it (RFC 9111 §4.3.3)', async () => {
    let etag = '"v1"';
    const { app, asked } = validatingSite({ etag: () => etag }, undefined, { cache });
    await visit(app, '/page').expect('page 1');
    await written();
    clock.advance(10);
    etag = '"v2"';
    await visit(app, '/page').expect(200, 'page 2').expect('ETag', '"v2"');
    await written();
    await visit(app, '/page').expect(200, 'page 2').expect('Age', '0');
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page 2');
    expect(asked.map(({ ifNoneMatch }) => ifNoneMatch)).toEqual([undefined, '"v1"', '"v2"']);
  });
});

test('both validators are asked about together (RFC 9111 §4.3.1)', async () => {
  const { app, asked } = validatingSite({ etag: () => '"v1"', modified: () => MODIFIED });
  await visit(app, '/page');
  clock.advance(10);
  await visit(app, '/page').expect(200, 'page 1');
  expect(asked[1]).toEqual({ ifNoneMatch: '"v1"', ifModifiedSince: MODIFIED, range: undefined });
});

test('a page without validators is made anew, without questions', async () => {
  const { app, asked } = validatingSite({});
  await visit(app, '/page').expect('page 1');
  clock.advance(10);
  await visit(app, '/page').set('If-None-Match', '"mine"').expect(200, 'page 2');
  expect(asked[1]).toEqual({
    ifNoneMatch: undefined,
    ifModifiedSince: undefined,
    range: undefined,
  });
});

test('a stale page is kept for validation as long as keepStale, and no longer', async () => {
  const { app, asked } = validatingSite({ etag: () => '"v1"' }, undefined, { keepStale: 30 });
  await visit(app, '/page').expect('page 1');
  clock.advance(39);
  await visit(app, '/page').expect('page 1');
  clock.advance(40);
  await visit(app, '/page').expect('page 3');
  expect(asked.map(({ ifNoneMatch }) => ifNoneMatch)).toEqual([undefined, '"v1"', undefined]);
});

describe('a 304 of the handlers', () => {
  /** A page that is stored with some fields, and confirmed with others. */
  const site = (stored: object, sent: object, status = 304) =>
    pageApp((res, call, req) => {
      const isAsked = req.headers['if-none-match'] === '"v1"';
      const fields = isAsked ? sent : stored;
      for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
      res.setHeader('ETag', '"v1"');
      res.statusCode = isAsked ? status : 200;
      res.end(isAsked ? undefined : `page ${call}`);
    });

  test('puts its fields in the place of those stored (RFC 9111 §3.2)', async () => {
    const { app } = site(
      { 'Cache-Control': 'max-age=10', 'X-A': 'old', 'X-B': 'kept', 'Content-Type': 'text/plain' },
      { 'Cache-Control': 'max-age=20', 'X-A': 'new', 'X-C': 'added' },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    const fields = {
      'x-a': 'new',
      'x-b': 'kept',
      'x-c': 'added',
      'content-type': 'text/plain',
      'cache-control': 'max-age=20',
    };
    expect((await visit(app, '/page').expect('page 1')).headers).toMatchObject(fields);
    clock.advance(19);
    const hit = await visit(app, '/page').expect('page 1').expect('Age', '19');
    expect(hit.headers).toMatchObject(fields);
  });

  test('leaves those of the body as they are (RFC 9111 §3.2)', async () => {
    const { app } = site(
      { 'Cache-Control': 'max-age=10' },
      { 'Cache-Control': 'max-age=10', 'Content-Length': '999', 'Content-Encoding': 'gzip' },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    for (const _visit of [1, 2]) {
      const { headers } = await visit(app, '/page').expect(200, 'page 1');
      expect(headers['content-length']).toBe('6');
      expect(headers).not.toHaveProperty('content-encoding');
    }
  });

  test('that says nothing of freshness renews that of the stored page', async () => {
    for (const stored of [{}, { 'Cache-Control': 'max-age=600' }]) {
      await invalidate('http://www.example.com/page');
      const { app, origin } = site(stored, {});
      await visit(app, '/page').expect('page 1');
      clock.advance(600);
      const { headers } = await visit(app, '/page').expect('page 1');
      expect(headers).toMatchObject({
        'cache-control': 'max-age=600',
        expires: new Date(clock.now() + 600_000).toUTCString(),
      });
      clock.advance(599);
      await visit(app, '/page').expect('page 1').expect('Age', '599');
      expect(origin.calls).toBe(2);
    }
  });

  test.each(['private', 'no-store', 'no-cache'])(
    'with %s gives the page to this client, and to no other',
    async (value) => {
      const { app, origin } = site(
        { 'Cache-Control': 'max-age=10' },
        { 'Cache-Control': value, 'X-For': 'one' },
      );
      await visit(app, '/page');
      clock.advance(10);
      for (const call of [2, 3]) {
        await visit(app, '/page').expect(200, 'page 1').expect('X-For', 'one');
        expect(origin.calls).toBe(call);
      }
    },
  );

  test('with a cookie is for this client alone', async () => {
    const { app, origin } = site({ 'Cache-Control': 'max-age=10' }, { 'Set-Cookie': 'sid=1' });
    await visit(app, '/page');
    clock.advance(10);
    for (const call of [2, 3]) {
      await visit(app, '/page').expect(200, 'page 1').expect('Set-Cookie', 'sid=1');
      expect(origin.calls).toBe(call);
    }
  });

  test('withholds from others the fields that private and no-cache name', async () => {
    const { app } = pageApp(
      (res, call, req) => {
        const isAsked = req.headers['if-none-match'] === '"v1"';
        res.writeHead(isAsked ? 304 : 200, {
          ETag: '"v1"',
          'Cache-Control': 'max-age=10, private="X-Who"',
          'X-Who': `visitor ${call}`,
        });
        res.end(isAsked ? undefined : `page ${call}`);
      },
      { options: { patchHeaders: false } },
    );
    await visit(app, '/page').expect('X-Who', 'visitor 1');
    clock.advance(10);
    await visit(app, '/page').expect(200, 'page 1').expect('X-Who', 'visitor 2');
    const { headers } = await visit(app, '/page').expect(200, 'page 1').expect('Age', '0');
    expect(headers).not.toHaveProperty('x-who');
  });

  test('does not widen what the page varies on', async () => {
    const { app } = pageApp((res, _call, req) => {
      res.setHeader('ETag', '"v1"');
      res.setHeader('Cache-Control', 'max-age=10');
      res.setHeader('Vary', 'Accept');
      // The page is somebody's; that it has not changed is told without looking at whose it is.
      if (req.headers['if-none-match'] === '"v1"') res.writeHead(304).end();
      else res.end(`secrets of ${req.headers.cookie ?? 'nobody'}`);
    });
    await visit(app, '/page').set('Cookie', 'sid=a').expect('secrets of sid=a');
    clock.advance(10);
    await visit(app, '/page').set('Cookie', 'sid=a').expect('secrets of sid=a');
    await visit(app, '/page').expect('secrets of nobody');
    await visit(app, '/page').set('Cookie', 'sid=b').expect('secrets of sid=b');
    await visit(app, '/page').set('Cookie', 'sid=a').expect('secrets of sid=a').expect('Age', '0');
  });

  test('to credentials keeps the page to them', async () => {
    const { app } = site(
      { 'Cache-Control': 'public, max-age=10' },
      { 'Cache-Control': 'max-age=10' },
    );
    await visit(app, '/page').set('Authorization', 'A').expect('page 1');
    clock.advance(10);
    await visit(app, '/page').set('Authorization', 'A').expect('page 1');
    await visit(app, '/page').set('Authorization', 'B').expect('page 3');
  });

  test('made after the handlers asked who is there renews the page for this visitor alone', async () => {
    const { app, origin } = pageApp(
      (res, call, req) => {
        res.setHeader('ETag', '"v1"');
        res.setHeader('Cache-Control', 'max-age=10');
        const isAsked = req.headers['if-none-match'] === '"v1"';
        if (isAsked) res.setHeader('X-User', (req as unknown as { user: string }).user);
        res.statusCode = isAsked ? 304 : 200;
        res.end(isAsked ? undefined : `page ${call}`);
      },
      {
        between: [
          (req, _res, next) => {
            (req as unknown as { user: unknown }).user = req.headers['x-name'];
            next();
          },
        ],
      },
    );
    const as = (name: string) => visit(app, '/page').set('X-Name', name);
    await as('alice').expect('page 1');
    clock.advance(10);
    const PRIVATE = 'private, no-cache';
    for (const _visit of [1, 2]) {
      await as('alice')
        .expect(200, 'page 1')
        .expect('X-User', 'alice')
        .expect('Cache-Control', PRIVATE);
      expect(origin.calls).toBe(2);
    }
    for (const _visit of [1, 2]) {
      const { headers } = await as('bob').expect(200, 'page 3');
      expect(headers['x-user']).not.toBe('alice');
      expect(origin.calls).toBe(3);
    }
  });

  test('nobody asked for reaches the client as it is, and is not stored', async () => {
    const { app, origin } = pageApp((res) => res.writeHead(304, { ETag: '"v1"' }).end());
    for (const call of [1, 2]) {
      await visit(app, '/page').expect(304);
      expect(origin.calls).toBe(call);
    }
  });
});

describe('conditionalGet() between the pair', () => {
  const site = () => {
    let version = 1;
    const { app, origin } = pageApp(
      (res) => {
        res.setHeader('Cache-Control', 'max-age=10');
        res.setHeader('ETag', `"v${version}"`);
        res.end(`version ${version}`);
      },
      { between: [conditionalGet as never] },
    );
    return { app, origin, publish: () => (version += 1) };
  };

  test('does not renew a stored page by a newer one that the client has already', async () => {
    const { app, publish } = site();
    await visit(app, '/page').expect('version 1');
    clock.advance(10);
    publish();
    await visit(app, '/page').set('If-None-Match', '"v2"').expect(304).expect('ETag', '"v2"');
    await visit(app, '/page').expect('version 2');
    await visit(app, '/page').expect('version 2');
  });

  test('renews it if the client has the same one', async () => {
    const { app, origin } = site();
    await visit(app, '/page').expect('version 1');
    clock.advance(10);
    await visit(app, '/page').set('If-None-Match', '"v1"').expect(304).expect('ETag', '"v1"');
    await visit(app, '/page').expect('version 1').expect('Age', '0');
    expect(origin.calls).toBe(2);
  });
});

describe("a client's own conditions", () => {
  const CONDITIONS: Record<string, string>[] = [
    { 'If-None-Match': '"v1"' },
    { 'If-None-Match': '*' },
    { 'If-None-Match': 'W/"v1"' },
    { 'If-Modified-Since': MODIFIED },
    { 'If-Match': '"other"' },
    { 'If-Unmodified-Since': MODIFIED },
  ];

  test.each(CONDITIONS)(
    '%j does not reach the handlers while the cache fills',
    async (conditions) => {
      let seen: object = {};
      const { app, origin } = pageApp((res, call, req) => {
        const names = Object.keys(req.headers).filter((name) => /^(if-|range)/.test(name));
        seen = { ...seen, ...Object.fromEntries(names.map((name) => [name, req.headers[name]])) };
        res.setHeader('ETag', '"v1"');
        res.setHeader('Last-Modified', MODIFIED);
        res.end(`page ${call}`);
      });
      await visit(app, '/page').set(conditions);
      expect(seen).toEqual({});
      await visit(app, '/page').expect(200, 'page 1');
      expect(origin.calls).toBe(1);
    },
  );

  test.each<Record<string, string>>([
    { Range: 'bytes=0-1' },
    { Range: 'bytes=0-1', 'If-Range': '"v1"' },
  ])('%j reaches them until the page is known, and never after that (D4)', async (conditions) => {
    const seen: object[] = [];
    const { app, origin } = pageApp((res, call, req) => {
      const { range, 'if-range': ifRange } = req.headers;
      seen.push({ ...(range && { Range: range }), ...(ifRange && { 'If-Range': ifRange }) });
      res.setHeader('ETag', '"v1"');
      res.setHeader('Cache-Control', 'max-age=10');
      res.statusCode = range === undefined ? 200 : 206;
      if (range !== undefined) res.setHeader('Content-Range', 'bytes 0-1/6');
      res.end(range === undefined ? `page ${call}` : 'pa');
    });
    const asks = () => visit(app, '/page').set(conditions);
    for (const _visit of [1, 2]) await asks().expect(206, 'pa');
    await visit(app, '/page').expect(200, 'page 3');
    await asks().expect(206, 'pa').expect('Content-Range', 'bytes 0-1/6').expect('Age', '0');
    expect(origin.calls).toBe(3);
    // Known, and stale: the whole of it is asked for, and stored.
    clock.advance(11);
    await asks().expect(200, 'page 4');
    await visit(app, '/page').expect(200, 'page 4');
    expect(seen).toEqual([conditions, conditions, {}, {}]);
  });

  test('are answered from the page it fills with', async () => {
    const { app, origin } = validatingSite({ etag: () => '"v1"', modified: () => MODIFIED });
    await visit(app, '/a').set('If-None-Match', '"v1"').expect(304).expect('ETag', '"v1"');
    await visit(app, '/b').set('If-None-Match', '"v0"').expect(200, 'page 2');
    await visit(app, '/c').set('If-Modified-Since', MODIFIED).expect(304);
    expect(origin.calls).toBe(3);
    for (const path of ['/a', '/b', '/c']) {
      await visit(app, path).set('If-None-Match', '"v1"').expect(304);
      await visit(app, path).set('If-None-Match', '"v0"').expect(200);
    }
    expect(origin.calls).toBe(3);
  });

  test('leave the head to the error page where Node refuses what the handler sends', async () => {
    const { app } = pageApp((res, call) => {
      try {
        if (call === 1) res.end(123);
        else res.write(123);
      } catch {
        res.statusCode = 500;
        res.end('sorry');
      }
    });
    for (const _way of ['end', 'write']) {
      await visit(app, '/page').set('If-None-Match', '"v1"').expect(500, 'sorry');
    }
  });

  test('are answered from the page that was validated', async () => {
    const { app, asked } = validatingSite({ etag: () => '"v1"' });
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    // The client has another one than is stored, and another than there is.
    await visit(app, '/page').set('If-None-Match', '"v0"').expect(200, 'page 1');
    clock.advance(10);
    await visit(app, '/page').set('If-None-Match', '"v1"').expect(304);
    clock.advance(10);
    await visit(app, '/page').set('Range', 'bytes=0-1').expect(200, 'page 1');
    expect(asked.map(({ ifNoneMatch, range }) => [ifNoneMatch, range])).toEqual([
      [undefined, undefined],
      ['"v1"', undefined],
      ['"v1"', undefined],
      ['"v1"', undefined],
    ]);
  });

  test('reach the handlers of a page that is known not to be stored', async () => {
    const seen: unknown[] = [];
    const { app } = pageApp((res, call, req) => {
      seen.push([req.headers['if-none-match'], req.headers.range]);
      res.setHeader('Cache-Control', 'no-store');
      res.setHeader('ETag', '"v1"');
      res.end(`page ${call}`);
    });
    const asks = () => visit(app, '/page').set({ 'If-None-Match': '"v1"', Range: 'bytes=0-1' });
    // Answered all the same, the first time, from what the handlers made of it.
    await asks().expect(304);
    await asks();
    // A range reaches them anyway, as there is no whole page to cut it from (D4).
    expect(seen).toEqual([
      [undefined, 'bytes=0-1'],
      ['"v1"', 'bytes=0-1'],
    ]);
    // And are kept from them again once that is forgotten.
    clock.advance(60);
    await asks();
    expect(seen[2]).toEqual([undefined, 'bytes=0-1']);
  });
});

describe('HEAD', () => {
  let etag = '"v1"';
  const site = (more: Respond = () => {}) => {
    etag = '"v1"';
    return pageApp((res, call, req) => {
      res.setHeader('Cache-Control', 'max-age=10');
      res.setHeader('ETag', etag);
      res.setHeader('Content-Length', 6);
      more(res, call, req);
      res.end(req.method === 'HEAD' ? undefined : `page ${call}`);
    });
  };

  test('renews the stored page if it is the same (RFC 9111 §4.3.5)', async () => {
    const { app, origin } = site((res, call) => res.setHeader('X-Call', call));
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page', 'head').expect(200).expect('X-Call', '2');
    await settled();
    clock.advance(9);
    await visit(app, '/page').expect(200, 'page 1').expect('X-Call', '2').expect('Age', '9');
    expect(origin.calls).toBe(2);
  });

  test('drops it if it is another (RFC 9111 §4.3.5)', async () => {
    const { app } = site();
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    etag = '"v2"';
    await visit(app, '/page', 'head').expect(200);
    await settled();
    etag = '"v1"';
    await visit(app, '/page').expect(200, 'page 3');
  });

  test('neither renews nor drops it where it fails', async () => {
    const asked: unknown[] = [];
    const { app } = site((res, call, req) => {
      asked.push(req.headers['if-none-match']);
      if (call === 2) res.statusCode = 404;
    });
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page', 'head').expect(404);
    await visit(app, '/page').expect('page 3');
    expect(asked).toEqual([undefined, undefined, '"v1"']);
  });

  test.each<[string, Respond]>([
    ['Set-Cookie', (res, call) => call === 2 && res.setHeader('Set-Cookie', 'sid=1')],
    ['private', (res, call) => call === 2 && res.setHeader('Cache-Control', 'private')],
    [
      'what it read of the address',
      (res, call, req) => {
        if (call === 2) res.setHeader('X-User', String((req as { ip?: string }).ip));
      },
    ],
  ])('does not renew it with %s', async (_what, more) => {
    const { app, origin } = site(more);
    await visit(app, '/page').expect('page 1');
    clock.advance(10);
    await visit(app, '/page', 'head').expect(200);
    await settled();
    const { headers } = await visit(app, '/page').expect('page 3');
    expect(headers).not.toHaveProperty('set-cookie');
    expect(headers).not.toHaveProperty('x-user');
    expect(origin.calls).toBe(3);
  });

  test('renews what it read of the user for this user alone', async () => {
    const { app, origin } = pageApp(
      (res, call, req) => {
        res.setHeader('Cache-Control', 'max-age=10');
        res.setHeader('ETag', '"v1"');
        const { user } = req as { user?: string };
        if (req.method === 'HEAD') res.setHeader('X-User', String(user));
        res.end(req.method === 'HEAD' ? undefined : `page ${call}`);
      },
      {
        between: [
          (req, _res, next) => {
            Object.assign(req, { user: req.headers['x-name'] });
            next();
          },
        ],
      },
    );
    const as = (name: string, method: 'get' | 'head' = 'get') =>
      visit(app, '/page', method).set('X-Name', name);
    await as('ann').expect('page 1');
    clock.advance(10);
    await as('ann', 'head').expect(200).expect('X-User', 'ann');
    await settled();
    for (const name of ['bob', 'eve']) {
      const { headers } = await as(name);
      expect(headers['x-user']).not.toBe('ann');
    }
    expect(origin.calls).toBeGreaterThan(2);
  });

  test('does not widen what the page varies on', async () => {
    const { app } = pageApp((res, _call, req) => {
      res.setHeader('Cache-Control', 'max-age=10');
      res.setHeader('ETag', '"v1"');
      if (req.method === 'HEAD') res.end();
      else res.end(`secrets of ${req.headers.cookie ?? 'nobody'}`);
    });
    await visit(app, '/page').set('Cookie', 'sid=a').expect('secrets of sid=a');
    clock.advance(10);
    await visit(app, '/page', 'head').set('Cookie', 'sid=a').expect(200);
    await settled();
    await visit(app, '/page').expect('secrets of nobody');
    await visit(app, '/page').set('Cookie', 'sid=a').expect('secrets of sid=a');
  });
});

describeEachStack((build) => {
  test('a stale page is validated behind the pair and behind cachePage()', async () => {
    for (const steps of [[updateCache(), fetchFromCache()], [cachePage(10)]]) {
      await invalidate('http://www.example.com/page');
      const origin = makeOrigin((res, call, req) => {
        res.setHeader('ETag', '"v1"');
        res.setHeader('Cache-Control', 'max-age=10');
        res.statusCode = req.headers['if-none-match'] === '"v1"' ? 304 : 200;
        res.end(res.statusCode === 304 ? undefined : `page ${call}`);
      });
      const app = build([...(steps as never[]), origin.handle]);
      await visit(app, '/page').expect(200, 'page 1');
      await settled();
      clock.advance(10);
      await visit(app, '/page').expect(200, 'page 1');
      await settled();
      await visit(app, '/page').expect(200, 'page 1').expect('Age', '0');
      expect(origin.calls).toBe(2);
    }
  });
});

test("Express's own 304 for an ETag of its own renews a page", async () => {
  const app = express();
  let calls = 0;
  app.use(updateCache({ seconds: 10 }), fetchFromCache());
  app.get('/page', (_req, res) => {
    calls += 1;
    res.json({ hello: 'world' });
  });
  const first = await visit(app, '/page').expect(200);
  clock.advance(10);
  await visit(app, '/page').expect(200, first.text);
  clock.advance(9);
  await visit(app, '/page').expect(200, first.text).expect('Age', '9');
  expect(calls).toBe(2);
});
