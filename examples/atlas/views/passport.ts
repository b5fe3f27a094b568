import { worldMap } from '../atlas';
import { type Country, countries } from '../data';
import { html } from '../html';
import type { Page } from '../layout';
import type { Visit } from '../visit';
import { countryLink, figures, mapView, number, tintOf } from './parts';

/** The countries this visitor has been to. */
export async function passportPage(visit: Visit, stamps: readonly Country[]): Promise<Page> {
  const { language, link } = visit;
  const { texts } = language;
  const stamped = new Set(stamps.map(({ cca3 }) => cca3));
  const share = landArea(stamps) / landArea(countries);
  const percent = new Intl.NumberFormat(language.tag, {
    style: 'percent',
    maximumFractionDigits: 1,
  });
  const content = html`
<h1>${texts.passport}</h1>
<p class="lede">${texts.passportLede}</p>
${figures([
  [texts.visited, number(visit, stamps.length)],
  [texts.shareOfLand, percent.format(share)],
])}
<figure>${mapView(visit, await worldMap(), {
    label: texts.worldMap,
    classOf: (code) => (stamped.has(code) ? tintOf(code) : 'unvisited'),
  })}</figure>
${
  stamps.length === 0
    ? html`<p class="lede">${texts.noStamps}</p>`
    : html`<ul class="stamps">${stamps.map(
        (country) => html`<li class="${tintOf(country.cca3)}">${countryLink(visit, country)}
        <form method="post" action="${link(`/passport/${country.cca3.toLowerCase()}/remove`)}">
          <button>${texts.remove}</button>
        </form></li>`,
      )}</ul>`
}`;
  return { title: texts.passport, content };
}

function landArea(list: readonly Country[]): number {
  return list.reduce((sum, { area }) => sum + Math.max(0, area), 0);
}
