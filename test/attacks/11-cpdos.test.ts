import { cachePage } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import type { Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

/** What makes a site answer with an error. */
const ATTACKS: Record<string, Record<string, string>> = {
  'an oversize header': { 'X-Oversized': 'x'.repeat(8000) },
  'a tab in a header': { 'X-Meta': 'a\tb' },
  'a method override': { 'X-HTTP-Method-Override': 'DELETE' },
  'an odd Accept': { Accept: 'nothing/at-all' },
  'an odd Content-Type': { 'Content-Type': 'text/nonsense' },
  'an odd Expect-like header': { 'X-Expect': '418-teapot' },
};

/** Errors with and without a lifetime of their own. */
const ERRORS = [400, 404, 405, 413, 414, 431, 501, 503];

/** Looks at headers where nobody watches: ahead of the look-up. */
const firewall =
  (headers: Record<string, string>): Step =>
  (req, _res, next) => {
    const isAttack = Object.entries(headers).every(
      ([name, value]) => req.headers[name.toLowerCase()] === value,
    );
    Object.assign(req, { isAttack });
    next();
  };

describe.each(Object.entries(ATTACKS))('%s', (_what, headers) => {
  test.each(ERRORS)('that makes the app answer %i leaves visitors their page', async (status) => {
    const respond: Respond = (res, _call, req) => {
      if ((req as unknown as { isAttack: boolean }).isAttack) res.statusCode = status;
      res.end(`status ${res.statusCode}`);
    };
    const site = pageApp(respond, { between: [firewall(headers)] });
    const route = express();
    route.use(firewall(headers) as never);
    route.get('/page', cachePage(60)(makeOrigin(respond).handle) as never);
    for (const [app, path] of [
      [site.app, '/site'],
      [route, '/page'],
    ] as const) {
      await visit(app, path).set(headers).expect(status);
      await visit(app, path).expect(200, 'status 200');
      await visit(app, path).set(headers).expect(200, 'status 200');
      await visit(app, path).expect(200, 'status 200');
    }
  });
});
