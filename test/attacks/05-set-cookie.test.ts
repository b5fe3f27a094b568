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
