import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { cachePage } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import type { Listener, Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

const newSid = () => `sid=${randomBytes(8).toString('hex')}`;

/** Ways in which a session gets its cookie onto the response. */
const WAYS: Record<string, (res: ServerResponse) => void> = {
  'setHeader()': (res) => {
    res.setHeader('Set-Cookie', newSid());
    res.end('hello');
  },
  'an array': (res) => {
    res.setHeader('set-cookie', ['theme=dark', newSid()]);
    res.end('hello');
  },
  'appendHeader()': (res) => {
    res.appendHeader('Set-Cookie', newSid());
    res.end('hello');
  },
  'writeHead() with an object': (res) => {
    res.writeHead(200, { 'SET-COOKIE': newSid() });
    res.end('hello');
  },
  'writeHead() with a flat array': (res) => {
    res.writeHead(200, ['Set-Cookie', newSid()]);
    res.end('hello');
  },
  'a page that says it is public': (res) => {
    res.setHeader('Cache-Control', 'public, max-age=600, s-maxage=600');
    res.setHeader('Set-Cookie', newSid());
    res.end('hello');
  },
};

describe.each(Object.entries(WAYS))('a session cookie by %s', (_way, send) => {
  const SITES: Record<string, (respond: Respond) => Listener> = {
    'the pair': (respond) => pageApp(respond).app,
    'cachePage()': (respond) => cachePage(60)(makeOrigin(respond).handle) as unknown as Listener,
  };

  test.each(Object.entries(SITES))(
    'is given to one visitor alone, behind %s',
    async (_name, site) => {
      const app = site((res) => send(res));
      const sids = new Set<string>();
      for (let i = 0; i < 5; i++) {
        const { headers } = await visit(app, '/welcome').expect('hello');
        const cookies = headers['set-cookie'] as unknown as string[];
        sids.add(cookies.find((cookie) => cookie.startsWith('sid='))!);
      }
      expect(sids.size).toBe(5);
    },
  );
});

test('a cookie that middleware sets as the head is sent is given to one visitor alone', async () => {
  const session: Step = (_req, res, next) => {
    const { writeHead } = res;
    res.writeHead = function setSid(this: ServerResponse, ...args: unknown[]) {
      res.setHeader('Set-Cookie', newSid());
      return writeHead.apply(this, args as never);
    } as never;
    next();
  };
  const { app } = pageApp(undefined, { between: [session] });
  const first = await visit(app, '/welcome');
  const second = await visit(app, '/welcome');
  expect(first.headers['set-cookie']).not.toEqual(second.headers['set-cookie']);
});

describe('a cookie that middleware adds to those of a stored page', () => {
  /** Gives a visitor who logs in a cookie, added in place to what is there, as packages do. */
  const login: Step = (req, res, next) => {
    const { writeHead } = res;
    res.writeHead = ((status: number, fields: (string | string[])[] = []) => {
      for (let i = 0; i < fields.length; i += 2) {
        res.setHeader(fields[i] as string, fields[i + 1]!);
      }
      const cookies = res.getHeader('Set-Cookie');
      const { user } = req.headers;
      if (user !== undefined && Array.isArray(cookies)) cookies.push(`sid=${user}`);
      return writeHead.call(res, status);
    }) as never;
    next();
  };

  test.each<[string, Record<string, string>]>([
    ['on a hit', {}],
    ['on one with a condition', { 'If-None-Match': '"other"' }],
  ])('%s is this visitor’s alone', async (_when, conditions) => {
    const cached = cachePage(60, { storeCookies: true, varyOnRead: false });
    const origin = makeOrigin((res) => {
      res.setHeader('ETag', '"v1"');
      res.setHeader('Set-Cookie', ['theme=dark', 'size=2']);
      res.end('hello');
    });
    const handle = cached(origin.handle);
    const app: Listener = (req, res) => login(req, res, () => handle(req, res));
    const cookiesOf = async (headers: Record<string, string>) =>
      (await visit(app, '/page').set(headers)).headers['set-cookie'];
    await cookiesOf({});
    expect(await cookiesOf({ user: 'alice', ...conditions })).toContain('sid=alice');
    expect(await cookiesOf({})).toEqual(['theme=dark', 'size=2']);
    expect(origin.calls).toBe(1);
  });
});
