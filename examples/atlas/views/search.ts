import { searchIndex } from '../atlas';
import { nameOf } from '../data';
import { html } from '../html';
import type { Page } from '../layout';
import { isFoundIn, searchCountries } from '../search';
import type { Visit } from '../visit';
import { countryLink } from './parts';

/** The countries that a query finds. */
export async function searchPage(visit: Visit): Promise<Page> {
  const { language } = visit;
  const { texts } = language;
  const query = visit.query.q ?? '';
  if (query.trim() === '') {
    const content = html`<h1>${texts.search}</h1><p class="lede">${texts.searchIntro}</p>`;
    return { title: texts.search, content };
  }
  const results = searchCountries(await searchIndex(), query);
  const content = html`
<h1>${texts.resultsFor(query)}</h1>
${
  results.length === 0
    ? html`<p class="lede">${texts.noResults}</p>`
    : html`<ol class="columns rows results">${results.map(({ country, name }) => {
        const note = !isFoundIn(nameOf(country, language), query) && html`<bdi>${name}</bdi>`;
        return html`<li>${countryLink(visit, country, note)}</li>`;
      })}</ol>`
}`;
  return { title: query, content, query };
}
