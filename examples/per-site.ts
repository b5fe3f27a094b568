// A whole site cached by two lines: one before all other middleware, one after it.
//
//   npx tsx examples/per-site.ts
//   curl -si localhost:3000/          rendered; told to browsers and proxies, too: Cache-Control
//   curl -si localhost:3000/          the same page, with its Age
//   curl -si localhost:3000/ -H 'Accept-Encoding: gzip' -o /dev/null -D -    kept compressed
//   curl -si 'localhost:3000/prices?currency=EUR'    each address is a page of its own
//   curl -si localhost:3000/news      for as long as the page itself says: a minute
//   curl -si localhost:3000/account   rendered for each visitor, each time
import { cacheControl, fetchFromCache, neverCache, updateCache } from 'cachewright';
import compression from 'compression';
import express, { type Request, type Response } from 'express';

export const app = express();

app.use(updateCache({ seconds: 600 })); // first
app.use(compression({ threshold: 0 }));
app.use(fetchFromCache()); // last

app.get('/', page('Home'));
app.get('/prices', page('Prices'));
app.get('/news', cacheControl({ maxAge: 60 }), page('News'));
app.get('/account', neverCache(), page('Account'));

let rendered = 0;

function page(title: string) {
  return function showPage(req: Request, res: Response) {
    rendered += 1;
    const currency = req.query.currency === 'EUR' ? 'euros' : 'dollars';
    res.send(`<h1>${title}</h1><p>In ${currency}. The page no. ${rendered} that was rendered.</p>`);
  };
}

if (require.main === module) app.listen(process.env.PORT ?? 3000);
