import { neverCache } from 'cachewright';
import { type Request, type Response, Router } from 'express';
import { type Country, findCountry } from './data';
import { layout } from './layout';
import { passportPage } from './views/passport';
import { visitOf } from './visit';

/** The visitor's own page. Its stamps are in a cookie; no cache may ever keep it. */
export const passport = Router();

passport.use(neverCache());

passport.get('/', async (req, res) => {
  const visit = visitOf(req);
  res.send(layout(visit, await passportPage(visit, stampsIn(req))));
});

passport.post('/:code{/:action}', (req, res) => {
  // A form on another site must not stamp our visitor's passport.
  if (req.get('Sec-Fetch-Site') === 'cross-site') return void res.sendStatus(403);
  const country = findCountry(req.params.code);
  const isRemoval = req.params.action === 'remove';
  if (country === undefined || (req.params.action !== undefined && !isRemoval)) {
    return void res.sendStatus(404);
  }
  const others = stampsIn(req).filter((stamp) => stamp !== country);
  setStamps(res, isRemoval ? others : [...others, country]);
  res.redirect(303, visitOf(req).link('/passport'));
});

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

function stampsIn(req: Request): Country[] {
  const cookies = (req.headers.cookie ?? '').split(/; */);
  const stamps = cookies.find((cookie) => cookie.startsWith('stamps='));
  const codes = new Set(stamps?.slice('stamps='.length).split('.'));
  return [...codes].map(findCountry).filter((country) => country !== undefined);
}

function setStamps(res: Response, stamps: readonly Country[]): void {
  const value = stamps.map(({ cca3 }) => cca3).join('.');
  res.cookie('stamps', value, { httpOnly: true, sameSite: 'lax', maxAge: YEAR_MS });
}
