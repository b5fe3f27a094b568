import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { describeEachStack } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

describeEachStack((build) => {
  test('a greeting by cookie, with Vary forgotten, reaches nobody else', async () => {
    const origin = makeOrigin((res, _call, req) =>
      res.end(`Hello ${/name=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? 'stranger'}`),
    );
    const app = build([updateCache() as never, fetchFromCache() as never, origin.handle as never]);
    const as = (name: string) => visit(app, '/page').set('Cookie', `name=${name}`);
    await as('Ada').expect('Hello Ada');
    await visit(app, '/page').expect('Hello stranger');
    await as('Bob').expect('Hello Bob');
    await as('Ada').expect('Hello Ada');
    await visit(app, '/page').expect('Hello stranger');
    expect(origin.calls).toBe(3);
  });
});

describe('what middleware has made of the cookie', () => {
  test.each([
    ['req.cookies', (name: string) => ({ cookies: { name } })],
    ['req.signedCookies', (name: string) => ({ signedCookies: { name } })],
    ['req.session', (name: string) => ({ session: { name } })],
    ['req.user', (name: string) => ({ user: { name } })],
  ])('%s greets nobody else either', async (_what, parse) => {
    const app = express();
    app.use(updateCache());
    app.use((req, _res, next) => {
      const name = /name=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? 'stranger';
      Object.assign(req, parse(name));
      next();
    });
    app.use(fetchFromCache());
    app.get('/page', (req, res) => {
      type Parsed = Record<string, { name: string } | undefined>;
      const { cookies, signedCookies, session, user } = req as unknown as Parsed;
      res.send(`Hello ${(cookies ?? signedCookies ?? session ?? user)?.name}`);
    });
    const as = (name: string) => visit(app, '/page').set('Cookie', `name=${name}`);
    await as('Ada').expect('Hello Ada');
    await visit(app, '/page').expect('Hello stranger');
    await as('Bob').expect('Hello Bob');
    await as('Ada').expect('Hello Ada');
  });

  test('a page that nobody is greeted on is everyone’s, whatever cookies they have', async () => {
    let calls = 0;
    const app = express();
    app.use(updateCache(), fetchFromCache());
    app.get('/page', (_req, res) => void res.send(`page ${++calls}`));
    await visit(app, '/page').set('Cookie', 'name=Ada').expect('page 1');
    await visit(app, '/page').set('Cookie', 'name=Bob').expect('page 1');
    await visit(app, '/page').expect('page 1');
  });
});
