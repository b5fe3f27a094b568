// A multilingual atlas, cached at every layer. `npm run demo` starts it; then try
//
//   curl -si localhost:3000/ | grep -iE 'age|cache|vary|timing'     twice: miss, then hit
//   curl -si localhost:3000/ -H 'Accept-Language: ja' | head -20     a page of its own
//   curl -si 'localhost:3000/borders?lang=de' -o /dev/null -w '%{time_total}\n'
//   curl -si localhost:3000/passport -b stamps=PRT.JPN | head -20    never cached
//   curl -s localhost:3000/api/routes/prt/chn
import {
  cachePage,
  configureCaches,
  fetchFromCache,
  type PageCacheOptions,
  updateCache,
  varyOnHeaders,
} from 'cachewright';
import express, { type Express, type Request, type Response } from 'express';
import { api } from './api';
import { graph } from './atlas';
import { computeBorderStatistics } from './border-statistics';
import { findCountry, regions } from './data';
import { assetDirectory, layout, type Page } from './layout';
import { dataDirectory } from './outlines';
import { passport } from './passport';
import { serverTiming } from './server-timing';
import { bordersPage } from './views/borders';
import { countryPage } from './views/country';
import { homePage } from './views/home';
import { notFoundPage } from './views/not-found';
import { regionPage } from './views/region';
import { searchPage } from './views/search';
import { readVisit, visitOf } from './visit';

const DAY = 24 * 60 * 60;

export const caches = configureCaches({
  // Values: drawings and the search index.
  default: { location: 'values', options: { maxEntries: 1000 } },
  pages: { location: 'pages', options: { maxEntries: 5000 } },
  // Parts that many pages have in common. The page cache asks for none of them on a hit.
  template_fragments: { location: 'fragments', options: { maxEntries: 500 } },
  // Six pages that take a second each to make. However many search pages come and go, they stay.
  statistics: { location: 'statistics', options: { maxEntries: 50 } },
});

/** Each page is kept once for each language it exists in. */
const perLanguage: PageCacheOptions = { language: (req) => visitOf(req as Request).language.tag };

/** The whole site. */
export function createAtlas(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(serverTiming);
  app.use(securityHeaders);

  // Files need no page cache: to read them again is as cheap as to look them up.
  const files = { immutable: true, maxAge: '1y' } as const;
  app.use('/assets', express.static(assetDirectory, files));
  app.get('/flags/:file.svg', (req, res, next) => {
    const country = findCountry(req.params.file);
    if (country === undefined) return next();
    res.sendFile(`${country.cca3.toLowerCase()}.svg`, { root: dataDirectory, maxAge: '1d' });
  });

  app.use(updateCache({ cache: 'pages', seconds: 600, ...perLanguage })); // first
  app.use(readVisit, varyOnHeaders('Accept-Language'));
  app.use(fetchFromCache()); // last

  app.get('/', (req, res) => sendPage(req, res, homePage(visitOf(req))));

  app.get('/regions/:slug', (req, res, next) => {
    const region = regions.find(({ slug }) => slug === req.params.slug);
    if (region === undefined) return next();
    return sendPage(req, res, regionPage(visitOf(req), region));
  });

  app.get('/countries/:code', (req, res, next) => {
    const country = findCountry(req.params.code);
    if (country === undefined) return next();
    return sendPage(req, res, countryPage(visitOf(req), country));
  });

  app.get('/search', (req, res) => sendPage(req, res, searchPage(visitOf(req))));

  app.get('/borders', cachePage(DAY, { cache: 'statistics', ...perLanguage }), (req, res) => {
    const startedAt = performance.now();
    const statistics = computeBorderStatistics(graph);
    const page = bordersPage(visitOf(req), statistics, performance.now() - startedAt);
    return sendPage(req, res, page);
  });

  app.use('/passport', passport);
  app.use('/api', api);
  app.use((req, res) => sendPage(req, res.status(404), notFoundPage(visitOf(req))));
  return app;
}

async function sendPage(req: Request, res: Response, page: Page | Promise<Page>): Promise<void> {
  res.type('html').send(layout(visitOf(req), await page));
}

function securityHeaders(_req: Request, res: Response, next: () => void): void {
  res.set('Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'");
  res.set('X-Content-Type-Options', 'nosniff');
  res.set('Referrer-Policy', 'same-origin');
  next();
}
