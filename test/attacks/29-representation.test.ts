import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

/** Headers by which frameworks send another representation of the same URL. */
const SWITCHES: Record<string, string> = {
  'X-Requested-With': 'XMLHttpRequest',
  'X-PJAX': 'true',
  'X-Inertia': 'true',
  'X-Middleware-Prefetch': '1',
  'X-Nextjs-Data': '1',
  'Turbo-Frame': 'main',
  'HX-Request': 'true',
  RSC: '1',
  'Next-Action': 'abc',
  Purpose: 'prefetch',
  'Sec-Purpose': 'prefetch',
  Accept: 'application/json',
};

describe.each(Object.entries(SWITCHES))('%s', (name, value) => {
  test.each([
    ['a part of the page', (res: express.Response) => res.send('<li>part</li>')],
    ['an empty 200', (res: express.Response) => res.end()],
    ['data', (res: express.Response) => res.json({ data: 1 })],
  ])('that gets %s leaves visitors the page', async (_what, sendOther) => {
    let calls = 0;
    const app = express();
    app.use(updateCache(), fetchFromCache());
    app.get('/page', (req, res) => {
      calls += 1;
      if (req.headers[name.toLowerCase()] === value) sendOther(res);
      else res.send('<html>the page</html>');
    });
    const switched = () => visit(app, '/page').set(name, value);
    const other = (await switched()).text;
    await visit(app, '/page').expect('<html>the page</html>');
    expect((await switched()).text).toBe(other);
    await visit(app, '/page').expect('<html>the page</html>');
    expect(other).not.toContain('the page');
    expect(calls).toBe(2);
  });
});
