import { cacheControl } from 'cachewright';
import { Router } from 'express';
import { graph, searchIndex } from './atlas';
import { shortestRoute } from './borders';
import { type Country, countries, findCountry, nameOf } from './data';
import type { Language } from './languages';
import { searchCountries } from './search';
import { visitOf } from './visit';

/**
 * The data as JSON. Its `max-age` tells browsers and proxies to keep it for an hour, and the page
 * cache takes it at its word.
 */
export const api = Router();

api.use(cacheControl({ public: true, maxAge: 60 * 60 }));

api.get('/countries', (req, res) => {
  const { language } = visitOf(req);
  res.json(countries.map((country) => summary(country, language)));
});

api.get('/countries/:code', (req, res) => {
  const country = findCountry(req.params.code);
  if (country === undefined) return void res.status(404).json(unknownCountry(req.params.code));
  const { name, capital, subregion, languages, currencies, landlocked, latlng } = country;
  res.json({
    ...summary(country, visitOf(req).language),
    ...{ nativeNames: name.native, capital, subregion, languages, currencies, landlocked, latlng },
    neighbours: graph.get(country.cca3) ?? [],
  });
});

api.get('/search', async (req, res) => {
  const { language, query } = visitOf(req);
  const results = searchCountries(await searchIndex(), query.q ?? '');
  res.json(results.map(({ country, name }) => ({ ...summary(country, language), foundBy: name })));
});

/** The way with the fewest borders from one country to another; `null`: none leads over land. */
api.get('/routes/:from/:to', (req, res) => {
  const codes = [req.params.from, req.params.to];
  const [from, to] = codes.map(findCountry);
  if (from === undefined || to === undefined) {
    const code = codes[from === undefined ? 0 : 1]!;
    return void res.status(404).json(unknownCountry(code));
  }
  const route = shortestRoute(graph, from.cca3, to.cca3) ?? null;
  res.json({ from: from.cca3, to: to.cca3, borders: route && route.length - 1, route });
});

function summary(country: Country, language: Language) {
  const { cca3: code, region, area, flag } = country;
  return { code, name: nameOf(country, language), region, area, flag };
}

function unknownCountry(code: string) {
  return { error: `There is no country with the code "${code}".` };
}
