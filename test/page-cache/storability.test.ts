import { caches } from 'cachewright';
import compression from 'compression';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import type { Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches({ bytes: { backend: ByteCache, location: 'storability' } });
const clock = stopClock();

type Headers = Readonly<Record<string, string | string[]>>;

/** Answers with these headers. */
function sending(headers: Headers, status = 200): Respond {
  return (res, call) => {
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.end(status === 204 || status === 304 ? undefined : `page ${call}`);
  };
}

/** How often the origin runs for two visits with these request headers. */
async function runsOfTwoVisits(
  respond: Respond,
  options = {},
  requestHeaders: Record<string, string> = {},
): Promise<number> {
  const { app, origin } = pageApp(respond, { options });
  await visit(app, '/page').set(requestHeaders);
  await settled();
  await visit(app, '/page').set(requestHeaders);
  return origin.calls;
}

test('a plain page is stored: what the refusals below are measured against (PAGE-05)', async () => {
  expect(await runsOfTwoVisits(sending({}))).toBe(1);
});

test('nothing is stored when the timeout is zero (PAGE-05)', async () => {
  expect(await runsOfTwoVisits(sending({}), { seconds: 0 })).toBe(2);
});

test('a 304 of the handler is neither stored nor patched (PAGE-07)', async () => {
  const { app, origin } = pageApp(sending({ ETag: '"v1"' }, 304), { options: { seconds: 60 } });
  for (const call of [1, 2]) {
    const { headers } = await visit(app, '/page').expect(304);
    expect(headers).not.toHaveProperty('cache-control');
    expect(headers).not.toHaveProperty('expires');
    expect(origin.calls).toBe(call);
    clock.advance(1);
  }
});

test.each([201, 203, 204, 206, 301, 302, 308, 404, 410, 500, 503])(
  'a response with status %d is neither stored nor patched (PAGE-08)',
  async (status) => {
    const headers: Headers = status < 400 && status > 300 ? { Location: '/login' } : {};
    const { app, origin } = pageApp(sending(headers, status), { options: { cache: 'bytes' } });
    for (const call of [1, 2]) {
      const response = await visit(app, '/page').redirects(0).expect(status);
      expect(response.headers).not.toHaveProperty('expires');
      expect(response.headers).not.toHaveProperty('cache-control');
      expect(origin.calls).toBe(call);
    }
    await settled();
    expect((caches.bytes as ByteCache).tally).toEqual({ reads: 2, writes: 0 });
  },
);

test.each([
  [
    'throws',
    () => {
      throw new Error('broken view');
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('broken view');
    },
  ],
])('a handler that %s stores nothing (PAGE-08)', async (_how, fail) => {
  const log = jest.spyOn(console, 'error').mockImplementation();
  try {
    const { app, origin } = pageApp((res, call) => (call === 1 ? fail() : res.end('recovered')));
    const { headers } = await visit(app, '/page').expect(500);
    expect(headers).not.toHaveProperty('expires');
    await visit(app, '/page').expect(200, 'recovered');
    expect(origin.calls).toBe(2);
  } finally {
    log.mockRestore();
  }
});

describe('Cache-Control of the response', () => {
  test.each([
    'private',
    'no-cache',
    'no-store',
    'max-age=60, private',
    'no-cache, max-age=60',
    'public, no-store',
    'max-age=60 , no-store ,must-revalidate',
  ])('%s is not stored (PAGE-10)', async (value) => {
    expect(await runsOfTwoVisits(sending({ 'Cache-Control': value }))).toBe(2);
  });

  test.each([
    'Private',
    'NO-STORE',
    'No-Cache',
    'PRIVATE, MAX-AGE=60',
    'private="Set-Cookie"',
    'no-cache="Set-Cookie, X-User"',
    'No-Cache="X-A"',
    'no-store=1',
  ])('%s is not stored either (PAGE-11)', async (value) => {
    expect(await runsOfTwoVisits(sending({ 'Cache-Control': value }))).toBe(2);
  });

  test.each(['x=private', 'ext="no-store, private"', 'max-age=60, not-private'])(
    '%s only looks like it, and is stored (PAGE-11)',
    async (value) => {
      // Django takes any occurrence of the words for the directive.
      expect(await runsOfTwoVisits(sending({ 'Cache-Control': value }))).toBe(1);
    },
  );

  test('counts on each of several lines (PAGE-10)', async () => {
    expect(await runsOfTwoVisits(sending({ 'Cache-Control': ['max-age=60', 'private'] }))).toBe(2);
  });

  test('is left as it was where it refuses (PAGE-10)', async () => {
    const { app } = pageApp(sending({ 'Cache-Control': 'private' }));
    const { headers } = await visit(app, '/page');
    expect(headers['cache-control']).toBe('private');
    expect(headers).not.toHaveProperty('expires');
  });
});

describe('Vary of the response', () => {
  test.each(['*', 'Cookie, *', '*, Cookie', '  *  ', 'Cookie ,\t* ', ',*'])(
    '%j is not stored (PAGE-12)',
    async (value) => {
      expect(await runsOfTwoVisits(sending({ Vary: value }))).toBe(2);
    },
  );

  test('an asterisk on the second of two lines counts (PAGE-12)', async () => {
    expect(await runsOfTwoVisits(sending({ Vary: ['Cookie', '*'] }))).toBe(2);
  });

  test('an asterisk that middleware adds counts (PAGE-12)', async () => {
    const addAsterisk: Step = (_req, res, next) => {
      res.setHeader('Vary', '*');
      next();
    };
    const { app, origin } = pageApp(undefined, { between: [addAsterisk] });
    await visit(app, '/page');
    await visit(app, '/page');
    expect(origin.calls).toBe(2);
  });
});

describe('a response that sets a cookie', () => {
  const cookie = { 'Set-Cookie': 'sid=1' };

  test('is not stored (PAGE-15)', async () => {
    expect(await runsOfTwoVisits(sending(cookie))).toBe(2);
    expect(await runsOfTwoVisits(sending({ 'Set-Cookie': ['a=1', 'b=2'] }))).toBe(2);
  });

  test('is stored and replayed to everyone where the site says so (PAGE-15)', async () => {
    const { app, origin } = pageApp(sending({ 'Set-Cookie': ['a=1', 'b=2'] }), {
      options: { storeCookies: true },
    });
    await visit(app, '/page');
    const { headers } = await visit(app, '/page').set('Cookie', 'a=other');
    expect(origin.calls).toBe(1);
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2']);
  });

  test.each<Record<string, string>>([{}, { Cookie: 'sid=9' }])(
    'and varies on Cookie is not stored even then, to a request with %j (PAGE-13)',
    async (requestHeaders) => {
      const respond = sending({ ...cookie, Vary: 'Accept, cookie' });
      expect(await runsOfTwoVisits(respond, { storeCookies: true }, requestHeaders)).toBe(2);
      expect(await runsOfTwoVisits(respond, {}, requestHeaders)).toBe(2);
    },
  );

  test('for CSRF to a visitor without cookies is not stored (PAGE-14)', async () => {
    const { app, origin } = pageApp((res, call) => {
      res.setHeader('Set-Cookie', `csrftoken=secret${call}; SameSite=Lax`);
      res.setHeader('Vary', 'Cookie');
      res.end(`<input name=csrf value=secret${call}>`);
    });
    const first = await visit(app, '/form');
    const second = await visit(app, '/form');
    expect(first.text).not.toBe(second.text);
    expect(origin.calls).toBe(2);
  });

  test('that a session saves on every request is not stored, with Vary or without (PAGE-16)', async () => {
    // express-session with `resave` and `rolling`: the cookie is set as the head is sent.
    const session = (varies: boolean): Step => {
      let visitors = 0;
      return (_req, res, next) => {
        visitors += 1;
        const sid = visitors;
        const { writeHead } = res;
        res.writeHead = function saveSession(this: typeof res, ...args: never[]) {
          res.setHeader('Set-Cookie', `sid=${sid}`);
          if (varies) res.setHeader('Vary', 'Cookie');
          return writeHead.apply(this, args as never);
        } as never;
        next();
      };
    };
    for (const varies of [false, true]) {
      const { app, origin } = pageApp(undefined, { between: [session(varies)] });
      const first = await visit(app, '/page');
      const second = await visit(app, '/page');
      expect(first.headers['set-cookie']).toEqual(['sid=1']);
      expect(second.headers['set-cookie']).toEqual(['sid=2']);
      expect(origin.calls).toBe(2);
    }
  });
});

describe('a request with Authorization', () => {
  const as = (user: string) => ({ Authorization: `Bearer ${user}` });

  test('is cached for these credentials alone (PAGE-17)', async () => {
    const { app, origin } = pageApp((res, _call, req) => {
      res.end(`hello ${req.headers.authorization ?? 'stranger'}`);
    });
    for (const _visit of [1, 2]) {
      const forA = await visit(app, '/page').set(as('A')).expect('hello Bearer A');
      expect(forA.headers.vary).toBe('Authorization');
      await visit(app, '/page').set(as('B')).expect('hello Bearer B');
    }
    expect(origin.calls).toBe(2);
    await visit(app, '/page').expect('hello stranger');
    expect(origin.calls).toBe(3);
  });

  test('is kept apart although the handler varies on other headers (PAGE-17)', async () => {
    const { app } = pageApp(sending({ Vary: 'Accept' }));
    const forA = await visit(app, '/page').set(as('A')).expect('page 1');
    expect(forA.headers.vary).toBe('Accept, Authorization');
    await visit(app, '/page').set(as('B')).expect('page 2');
    await visit(app, '/page').set(as('A')).expect('page 1');
  });

  test.each(['s-maxage=60', 'must-revalidate, max-age=60', 'max-age=60', 'x-public, max-age=9'])(
    'shares nothing by %s (PAGE-17)',
    async (value) => {
      const { app } = pageApp(sending({ 'Cache-Control': value }));
      await visit(app, '/page').set(as('A')).expect('page 1').expect('Vary', 'Authorization');
      await visit(app, '/page').set(as('B')).expect('page 2');
      await visit(app, '/page').expect('page 3');
    },
  );

  test.each(['public', 'Public, max-age=60', 'max-age=60,PUBLIC'])(
    'shares the page with everyone by %s (PAGE-17)',
    async (value) => {
      const { app, origin } = pageApp(sending({ 'Cache-Control': value }));
      const { headers } = await visit(app, '/page').set(as('A')).expect('page 1');
      expect(headers).not.toHaveProperty('vary');
      await visit(app, '/page').set(as('B')).expect('page 1');
      await visit(app, '/page').expect('page 1');
      expect(origin.calls).toBe(1);
    },
  );

  test('that is empty counts as none (PAGE-17)', async () => {
    const { app } = pageApp();
    const { headers } = await visit(app, '/page').set('Authorization', '').expect('page 1');
    expect(headers).not.toHaveProperty('vary');
    await visit(app, '/page').expect('page 1');
  });

  test('counts as it came in, whatever later middleware makes of it (PAGE-17)', async () => {
    const strip: Step = (req, _res, next) => {
      delete req.headers.authorization;
      next();
    };
    const { app } = pageApp(undefined, { inside: [strip] });
    await visit(app, '/page').set(as('A')).expect('page 1').expect('Vary', 'Authorization');
    await visit(app, '/page').set(as('B')).expect('page 2');
    await visit(app, '/page').expect('page 3');
  });
});

describe('a response that is streamed', () => {
  test('is stored if it stays within maxBytes, unlike in Django (PAGE-09)', async () => {
    const respond: Respond = (res, call) => {
      res.flushHeaders();
      res.write(`page ${call}, `);
      setImmediate(() => res.end('the end'));
    };
    const { app, origin } = pageApp(respond, { options: { maxBytes: 15 } });
    await visit(app, '/page').expect('page 1, the end');
    await visit(app, '/page').expect('page 1, the end');
    expect(origin.calls).toBe(1);
  });

  test('and outgrows maxBytes flows on and is not stored (PAGE-09)', async () => {
    const respond: Respond = (res, call) => {
      res.write(`page ${call}, `);
      setImmediate(() => res.end('the end'));
    };
    const { app, origin } = pageApp(respond, { options: { maxBytes: 14 } });
    await visit(app, '/page').expect('page 1, the end');
    await visit(app, '/page').expect('page 2, the end');
    expect(origin.calls).toBe(2);
  });

  test.each(['text/event-stream', 'Text/Event-Stream; charset=utf-8'])(
    'as %s is neither stored nor patched (PAGE-09)',
    async (type) => {
      const { app, origin } = pageApp((res, call) => {
        res.setHeader('Content-Type', type);
        res.write(`data: ${call}\n\n`);
        setImmediate(() => res.end());
      });
      for (const call of [1, 2]) {
        const { headers } = await visit(app, '/events').expect(200);
        expect(headers).not.toHaveProperty('expires');
        expect(headers).not.toHaveProperty('cache-control');
        expect(origin.calls).toBe(call);
      }
    },
  );

  test('and announces more than maxBytes is neither stored nor patched (PAGE-09)', async () => {
    const { app, origin } = pageApp(
      (res) => {
        res.setHeader('Content-Length', '11');
        res.end('hello world');
      },
      { options: { maxBytes: 10 } },
    );
    for (const call of [1, 2]) {
      const { headers } = await visit(app, '/page').expect('hello world');
      expect(headers).not.toHaveProperty('expires');
      expect(headers).not.toHaveProperty('cache-control');
      expect(origin.calls).toBe(call);
    }
  });
});

test('compression between the pair is stored as it was sent, and not done twice (PAGE-58)', async () => {
  const { app, origin } = pageApp(
    (res) => {
      res.setHeader('Content-Type', 'text/plain');
      res.end('all work and no play '.repeat(200));
    },
    { between: [compression({ threshold: 0 }) as never] },
  );
  for (const _visit of [1, 2]) {
    const { headers, text } = await visit(app, '/page').set('Accept-Encoding', 'gzip');
    expect(text).toBe('all work and no play '.repeat(200));
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  }
  expect(origin.calls).toBe(1);
  const identity = await visit(app, '/page').set('Accept-Encoding', 'identity');
  expect(identity.headers).not.toHaveProperty('content-encoding');
  expect(identity.text).toBe('all work and no play '.repeat(200));
  expect(origin.calls).toBe(2);
});
