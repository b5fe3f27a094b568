import { worldMap } from '../atlas';
import type { BorderStatistics, CountryStatistics } from '../border-statistics';
import { countryOf, nameOf } from '../data';
import { type Html, html } from '../html';
import type { Page } from '../layout';
import type { Visit } from '../visit';
import { bar, countryChips, countryLink, figures, mapView, number, route } from './parts';

const SHADES = 6;

/** What all border graphs say, together. */
export async function bordersPage(
  visit: Visit,
  statistics: BorderStatistics,
  computedInMs: number,
): Promise<Page> {
  const { texts } = visit.language;
  const { countries, gatekeepers, landmasses } = statistics;
  const mainland = landmasses[0]!;
  const content = html`
<section class="spread even">
  <div>
    <h1>${texts.borders}</h1>
    <p class="lede">${texts.bordersLede(number(visit, countries.length))}</p>
    ${figures([
      [texts.borders, number(visit, statistics.borders)],
      [texts.longestRoute, number(visit, mainland.diameter)],
      [texts.landmasses, number(visit, landmasses.length)],
      [texts.gatekeepers, number(visit, gatekeepers.length)],
    ])}
    <p class="quiet">${texts.computedIn(number(visit, computedInMs))}</p>
  </div>
  <div>
    <h2>${texts.farthestApart}</h2>
    <p class="quiet">${texts.farthestApartLede}</p>
    ${route(visit, statistics.farthestPairs[0]!)}
  </div>
</section>
<section>
  <h2>${texts.meanDistance}</h2>
  <p class="quiet">${texts.meanDistanceLede}</p>
  <figure>
    ${mapView(visit, await worldMap(), {
      label: texts.meanDistance,
      classOf: shadesByDistance(countries, mainland.members),
    })}
    <figcaption class="scale"><span>${texts.nearer}</span>${Array.from(
      { length: SHADES },
      (_, shade) => html`<i class="shade-${shade}"></i>`,
    )}<span>${texts.farther}</span></figcaption>
  </figure>
</section>
<div class="halves">
  <section>
    <h2>${texts.crossroads}</h2>
    <p class="quiet">${texts.crossroadsLede}</p>
    ${ranking(visit, countries, 'betweenness', (share) => percent(visit, share))}
  </section>
  <section>
    <h2>${texts.missedBorders}</h2>
    <p class="quiet">${texts.missedBordersLede}</p>
    ${missedBorders(visit, statistics)}
  </section>
  <section>
    <h2>${texts.mostNeighbours}</h2>
    ${ranking(visit, countries, 'neighbours', (count) => number(visit, count))}
  </section>
  <section>
    <h2>${texts.landmasses}</h2>
    <p class="quiet">${texts.landmassesLede}</p>
    <dl class="groups">${landmasses.map(
      ({ members, diameter }) => html`<div><dt>${number(visit, members.length)}</dt>
      <dd>${members.length > 3 ? samples(visit, countries, members) : countryChips(visit, members)}
      <small>${texts.longestRoute}: ${number(visit, diameter)}</small></dd></div>`,
    )}</dl>
  </section>
</div>
<section>
  <h2>${texts.gatekeepers}</h2>
  <p class="quiet">${texts.gatekeepersLede}</p>
  <dl class="gates">${gatekeepers.map(
    ({ code, cutOff }) => html`<div><dt>${countryLink(visit, countryOf(code))}</dt>
    <dd>${countryChips(visit, cutOff.flat())}</dd></div>`,
  )}</dl>
</section>
<details class="every">
  <summary><h2>${texts.everyCountry}</h2></summary>
  ${table(visit, countries)}
</details>`;
  return { title: texts.borders, content };
}

/** The ten countries that have most of something. */
function ranking(
  visit: Visit,
  countries: readonly CountryStatistics[],
  by: 'betweenness' | 'neighbours',
  toText: (value: number) => string,
): Html {
  const top = [...countries].sort((a, b) => b[by] - a[by]).slice(0, 10);
  return html`<ol class="ranking">${top.map(
    (entry) => html`<li>${countryLink(visit, countryOf(entry.code))}
    ${bar(entry[by] / top[0]![by])}<b>${toText(entry[by])}</b></li>`,
  )}</ol>`;
}

function missedBorders(visit: Visit, { missedBorders }: BorderStatistics): Html {
  const top = missedBorders.filter(({ pairsCut }) => pairsCut === 0).slice(0, 10);
  return html`<ol class="ranking">${top.map(
    ({ between, detour }) => html`<li>
    <span class="pair">${between.map((code) => countryLink(visit, countryOf(code)))}</span>
    ${bar(detour / top[0]!.detour)}<b>+${number(visit, detour)}</b></li>`,
  )}</ol>`;
}

/** The best connected of many. */
function samples(
  visit: Visit,
  countries: readonly CountryStatistics[],
  members: readonly string[],
): Html {
  const codes = countries
    .filter(({ code }) => members.includes(code))
    .sort((a, b) => b.betweenness - a.betweenness)
    .slice(0, 3)
    .map(({ code }) => code);
  return countryChips(visit, codes);
}

function table(visit: Visit, countries: readonly CountryStatistics[]): Html {
  const { tag, texts } = visit.language;
  const { compare } = new Intl.Collator(tag);
  const named = countries
    .map((entry) => ({ ...entry, country: countryOf(entry.code) }))
    .map((entry) => ({ ...entry, name: nameOf(entry.country, visit.language) }))
    .sort((a, b) => compare(a.name, b.name));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${texts.everyCountry}"><table>
  <thead><tr><th scope="col">${texts.country}</th><th scope="col">${texts.neighbours}</th>
    <th scope="col">${texts.withinReach}</th><th scope="col">${texts.farthest}</th>
    <th scope="col">⌀</th><th scope="col">${texts.detour}</th></tr></thead>
  <tbody>${named.map(
    (entry) => html`<tr><th scope="row">${countryLink(visit, entry.country)}</th>
    <td>${number(visit, entry.neighbours)}</td><td>${number(visit, entry.reachable)}</td>
    <td>${number(visit, entry.farthest)}</td><td>${number(visit, entry.meanDistance, 1)}</td>
    <td>${number(visit, entry.detour)}</td></tr>`,
  )}</tbody>
  </table></div>`;
}

/** Shades for the countries of one landmass, as many countries to each; the others have none. */
function shadesByDistance(
  countries: readonly CountryStatistics[],
  members: readonly string[],
): (code: string) => string {
  const order = countries
    .filter(({ code }) => members.includes(code))
    .sort((a, b) => a.meanDistance - b.meanDistance)
    .map(({ code }) => code);
  return (code) => {
    const rank = order.indexOf(code);
    return rank === -1 ? 'shade-none' : `shade-${Math.floor((rank / order.length) * SHADES)}`;
  };
}

function percent({ language }: Visit, share: number): string {
  const format = { style: 'percent', maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(language.tag, format).format(share);
}
