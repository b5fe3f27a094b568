import { tints } from '../atlas';
import { type Country, countryOf, nameOf } from '../data';
import { type Content, type Html, html } from '../html';
import { formatNumber } from '../layout';
import type { DrawnMap } from '../maps';
import type { Visit } from '../visit';

/** Address of a country's page. */
export function countryUrl({ link }: Visit, { cca3 }: Country): string {
  return link(`/countries/${cca3.toLowerCase()}`);
}

/** The flag, for beside the country's name, which says all that it says. */
export function flag({ cca3 }: Country): Html {
  return html`<img class="flag" src="/flags/${cca3.toLowerCase()}.svg" alt="" width="24" height="16" loading="lazy">`;
}

/** Flag and name, leading to the country's page. */
export function countryLink(visit: Visit, country: Country, note?: Content): Html {
  return html`<a class="country" href="${countryUrl(visit, country)}">${flag(country)}<span>${nameOf(
    country,
    visit.language,
  )}</span>${note !== undefined && note !== false && html`<small>${note}</small>`}</a>`;
}

/** Countries side by side. */
export function countryChips(visit: Visit, codes: readonly string[]): Html {
  return html`<ul class="chips">${codes.map(
    (code) => html`<li>${countryLink(visit, countryOf(code))}</li>`,
  )}</ul>`;
}

/** A way over land, from the first country to the last. */
export function route(visit: Visit, codes: readonly string[]): Html {
  return html`<ol class="route">${codes.map(
    (code) => html`<li>${countryLink(visit, countryOf(code))}</li>`,
  )}</ol>`;
}

/** Numbers with what they are of. */
export function figures(entries: readonly (readonly [label: string, value: Content])[]): Html {
  return html`<dl class="figures">${entries.map(
    ([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`,
  )}</dl>`;
}

/** A number in the visitor's language. */
export function number({ language }: Visit, value: number, decimals = 0): string {
  return formatNumber(language.tag, value, decimals);
}

/** An area in the visitor's language. */
export function areaText({ language }: Visit, squareKilometres: number): Html {
  const format = new Intl.NumberFormat(language.tag, {
    maximumFractionDigits: squareKilometres < 10 ? 2 : 0,
  });
  return html`${format.format(squareKilometres)} <abbr class="unit" title="km²">km²</abbr>`;
}

/** How a map is shown. */
export interface MapOptions {
  readonly label: string;
  /** Class of a country's shape. @defaultValue its tint */
  readonly classOf?: (code: string) => string;
}

/**
 * A map whose countries lead to their pages. Keyboards and screen readers pass it by, for all its
 * links are on the page a second time, as text.
 */
export function mapView(
  visit: Visit,
  map: DrawnMap,
  { label, classOf = tintOf }: MapOptions,
): Html {
  return html`<svg class="map" viewBox="0 0 ${map.width} ${map.height}" role="img" aria-label="${label}">
<path class="graticule" d="${map.graticule}"/>
${map.countries.map(({ code, path, dots }) => {
  const country = countryOf(code);
  return html`<a href="${countryUrl(visit, country)}" tabindex="-1" class="land ${classOf(code)}"><title>${nameOf(
    country,
    visit.language,
  )}</title>${path !== '' && html`<path d="${path}"/>`}${dots.map(
    ([x, y]) => html`<circle cx="${x}" cy="${y}" r="22"/>`,
  )}</a>`;
})}
</svg>`;
}

/** The class of a country's tint. */
export function tintOf(code: string): string {
  return `tint-${tints.get(code)}`;
}

/** A bar as long as `share` of the whole, 0 to 1. */
export function bar(share: number): Html {
  return html`<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${(share * 100).toFixed(1)}" height="1"/></svg>`;
}
