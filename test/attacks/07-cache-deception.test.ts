import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

/** Where a victim is lured to, each of which a careless site answers with the account. */
const LURES = [
  '/account/x.css',
  '/account;x.css',
  '/account%2fx.css',
  '/account%00.css',
  '/account.css',
  '/account/..%2fstatic/x.js',
  '/static/..%2faccount',
  '/account?x.css',
];

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('on %s', (_name, makeApp) => {
  test.each(LURES)('%s shows nobody the account of the victim', async (lure) => {
    const app = makeApp();
    app.use(updateCache(), fetchFromCache());
    app.use((req, res) => {
      const user = /sid=(\w+)/.exec(req.get('Cookie') ?? '')?.[1];
      if (user === undefined) res.status(401).send('Log in');
      else res.type('css').send(`The account of ${user}`);
    });
    await visit(app, lure).set('Cookie', 'sid=victim').expect('The account of victim');
    for (const path of [lure, '/account']) {
      await visit(app, path).expect(401, 'Log in');
      await visit(app, path).set('Cookie', 'sid=other').expect('The account of other');
    }
  });

  test.each(LURES)('%s shows nobody what a token has unlocked', async (lure) => {
    const app = makeApp();
    app.use(updateCache(), fetchFromCache());
    app.use((req, res) => {
      const user = /^Bearer (\w+)/.exec(req.get('Authorization') ?? '')?.[1];
      if (user === undefined) res.status(401).send('Log in');
      else res.set('Cache-Control', 'max-age=60').send(`The account of ${user}`);
    });
    await visit(app, lure).set('Authorization', 'Bearer victim').expect('The account of victim');
    await visit(app, lure).expect(401, 'Log in');
    await visit(app, lure).set('Authorization', 'Bearer other').expect('The account of other');
  });
});
