import { regionMap } from '../atlas';
import { type Country, nameOf, type Region, regionName, sortByName } from '../data';
import { html } from '../html';
import type { Page } from '../layout';
import type { Visit } from '../visit';
import { areaText, countryLink, figures, mapView, number, tintOf } from './parts';

/** One region: its map, and its countries by subregion. */
export async function regionPage(visit: Visit, region: Region): Promise<Page> {
  const { language, link } = visit;
  const { texts } = language;
  const name = regionName(region.name, language);
  const members = new Set(region.countries.map(({ cca3 }) => cca3));
  const largest = region.countries.reduce((a, b) => (b.area > a.area ? b : a));
  const content = html`
<section class="spread">
  <div>
    <p class="trail"><a href="${link('/')}">${texts.countries}</a></p>
    <h1>${name}</h1>
    ${figures([
      [texts.countriesAndTerritories, number(visit, region.countries.length)],
      [texts.landArea, areaText(visit, totalArea(region.countries))],
      [texts.largest, nameOf(largest, language)],
      [
        texts.landlockedCountries,
        number(visit, region.countries.filter((c) => c.landlocked).length),
      ],
    ])}
  </div>
  <figure>${mapView(visit, await regionMap(region), {
    label: texts.mapOf(name),
    classOf: (code) => (members.has(code) ? tintOf(code) : `${tintOf(code)} faint`),
  })}</figure>
</section>
${subregionsOf(region).map(
  (subregion) => html`<section class="index">
  ${subregion !== '' && html`<h2>${regionName(subregion, language)}</h2>`}
  <ul class="columns rows">${sortByName(
    region.countries.filter((country) => country.subregion === subregion),
    language,
  ).map(
    (country) =>
      html`<li>${countryLink(
        visit,
        country,
        country.capital.length > 0 && html`<bdi lang="en">${country.capital.join(', ')}</bdi>`,
      )}</li>`,
  )}</ul>
</section>`,
)}`;
  return { title: name, content };
}

function totalArea(list: readonly Country[]): number {
  return list.reduce((sum, country) => sum + Math.max(0, country.area), 0);
}

function subregionsOf({ countries }: Region): string[] {
  return [...new Set(countries.map(({ subregion }) => subregion))].sort();
}
