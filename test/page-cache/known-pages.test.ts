import { cachePage, caches, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
import { settled } from '../support/settled';

freshCaches();

const HOSTS = ['a.example', 'b.example', 'c.example'];
const ROUNDS = 3;

test('several hosts keep their own pages of one target, however often they are found', async () => {
  let runs = 0;
  const app = express();
  app.use(updateCache({ seconds: 60 }), fetchFromCache(), (req, res) => {
    runs += 1;
    res.send(`page of ${req.headers.host}`);
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const host of HOSTS) {
      const { text } = await request(app).get('/known').set('Host', host).expect(200);
      await settled();
      expect(text).toBe(`page of ${host}`);
    }
  }
  expect(runs).toBe(HOSTS.length);
});

test('schemes keep their own pages of one target and host', async () => {
  const app = express();
  app.set('trust proxy', true);
  app.use(updateCache({ seconds: 60 }), fetchFromCache(), (req, res) => {
    res.send(`page over ${req.protocol}`);
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const scheme of ['http', 'https']) {
      const { text } = await request(app)
        .get('/known')
        .set({ Host: 'a.example', 'X-Forwarded-Proto': scheme });
      await settled();
      expect(text).toBe(`page over ${scheme}`);
    }
  }
});

test('caches with prefixes of their own keep their own pages of one URL', async () => {
  const app = express();
  let keyPrefix = '';
  const prefixes = ['', 'one', 'two'];
  const ways = new Map(prefixes.map((name) => [name, cachePage(60, { keyPrefix: name })]));
  app.get('/known', (req, res, next) => ways.get(keyPrefix)!(req, res, next));
  app.get('/known', (_req, res) => res.send(`page of "${keyPrefix}"`));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of prefixes) {
      keyPrefix = name;
      const { text } = await request(app).get('/known').set('Host', 'a.example').expect(200);
      await settled();
      expect(text).toBe(`page of "${name}"`);
    }
  }
  await caches.default.clear();
  keyPrefix = 'one';
  await request(app).get('/known').set('Host', 'a.example').expect(200, 'page of "one"');
});
