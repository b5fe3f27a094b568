import { graph, worldMap } from '../atlas';
import { countries, regionName, regions, sortByName } from '../data';
import { html } from '../html';
import type { Page } from '../layout';
import type { Visit } from '../visit';
import { countryLink, mapView, number } from './parts';

/** The world map, and all countries by region. */
export async function homePage(visit: Visit): Promise<Page> {
  const { texts } = visit.language;
  const borders = [...graph.values()].flat().length / 2;
  const content = html`
<section class="world">
  <div class="opening">
    <h1>${texts.homeTitle}</h1>
    <p class="quiet">${texts.homeLede(number(visit, countries.length), number(visit, borders))}</p>
  </div>
  <figure>
    ${mapView(visit, await worldMap(), { label: texts.worldMap })}
    <figcaption>${texts.fourColours}</figcaption>
  </figure>
</section>
<h2 class="hidden">${texts.all}</h2>
${regions.map(
  (region) => html`<section class="index">
  <h3><a href="${visit.link(`/regions/${region.slug}`)}">${regionName(
    region.name,
    visit.language,
  )}</a> <span class="count">${number(visit, region.countries.length)}</span></h3>
  <ul class="columns">${sortByName(region.countries, visit.language).map(
    (country) => html`<li>${countryLink(visit, country)}</li>`,
  )}</ul>
</section>`,
)}`;
  return { title: texts.homeTitle, content };
}
