import { countryMap, graph } from '../atlas';
import { distancesFrom, shortestRoute } from '../borders';
import {
  type Country,
  countryOf,
  nameOf,
  officialNameOf,
  type Region,
  regionName,
  regions,
  sortByName,
} from '../data';
import { fragment } from '../fragments';
import { type Content, type Html, html } from '../html';
import type { Page } from '../layout';
import type { Visit } from '../visit';
import {
  areaText,
  countryChips,
  countryLink,
  figures,
  mapView,
  number,
  route,
  tintOf,
} from './parts';

/** One country: its map, its facts, its neighbours, how far it goes by land. */
export async function countryPage(visit: Visit, country: Country): Promise<Page> {
  const { language, link } = visit;
  const { texts } = language;
  const { cca3 } = country;
  const name = nameOf(country, language);
  const official = officialNameOf(country, language);
  const region = regions.find((candidate) => candidate.name === country.region)!;
  const map = await countryMap(cca3);
  const sidebar = await fragment(visit, 'region', [region.slug], () =>
    neighbourhood(visit, region),
  );
  const content = html`
<section class="spread ${tintOf(cca3)}">
  <div>
    <p class="trail"><a href="${link('/')}">${texts.countries}</a>
      <a href="${link(`/regions/${region.slug}`)}">${regionName(region.name, language)}</a>
      ${country.subregion !== '' && html`<span>${regionName(country.subregion, language)}</span>`}</p>
    <h1>${name}</h1>
    ${official !== name && html`<p class="official">${official}</p>`}
    <p class="native">${nativeNames(country, name)}</p>
    ${figures(keyFigures(visit, country))}
    <div class="arms">
      <img src="/flags/${cca3.toLowerCase()}.svg" alt="${texts.flagOf(name)}" width="120" height="80">
      <form method="post" action="${link(`/passport/${cca3.toLowerCase()}`)}">
        <button>${texts.stamp}</button>
        <small>${texts.stampHint}</small>
      </form>
    </div>
  </div>
  ${
    map !== null &&
    html`<figure>${mapView(visit, map, {
      label: texts.mapOf(name),
      classOf: (code) => (code === cca3 ? `${tintOf(code)} subject` : `${tintOf(code)} faint`),
    })}</figure>`
  }
</section>
<div class="halves">
  <section>
    <h2>${texts.facts}</h2>
    <dl class="facts">${facts(visit, country).map(
      ([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`,
    )}</dl>
  </section>
  <div>
    <section>
      <h2>${texts.neighbours}</h2>
      ${graph.has(cca3) ? countryChips(visit, graph.get(cca3)!) : html`<p>${texts.noNeighbours}</p>`}
    </section>
    ${graph.has(cca3) && byLand(visit, cca3)}
  </div>
</div>
<div class="halves">
<section>
  <h2>${texts.names}</h2>
  <ul class="names">${translations(country).map(
    ([
      tag,
      translated,
    ]) => html`<li><small>${displayName(language.tag, 'language', tag) ?? tag}</small>
      <bdi lang="${tag}">${translated}</bdi></li>`,
  )}</ul>
</section>
${sidebar}
</div>`;
  return { title: name, content };
}

/** The countries of a region: the same beside each of them. */
function neighbourhood(visit: Visit, { name, slug, countries }: Region): Html {
  const { language, link } = visit;
  return html`<aside class="index">
  <h2><a href="${link(`/regions/${slug}`)}">${regionName(name, language)}</a>
    <span class="count">${number(visit, countries.length)}</span></h2>
  <ul class="columns">${sortByName(countries, language).map(
    (country) => html`<li>${countryLink(visit, country)}</li>`,
  )}</ul>
</aside>`;
}

function byLand(visit: Visit, code: string): Html {
  const { texts } = visit.language;
  const distances = distancesFrom(graph, code);
  const [farthest, borders] = [...distances].at(-1)!;
  return html`<section>
  <h2>${texts.byLand}</h2>
  ${figures([
    [texts.withinReach, number(visit, distances.size - 1)],
    [texts.farthestByLand, nameOf(countryOf(farthest), visit.language)],
    [texts.bordersToCross, number(visit, borders)],
  ])}
  ${route(visit, shortestRoute(graph, code, farthest)!)}
</section>`;
}

function keyFigures(visit: Visit, { area, capital }: Country): (readonly [string, Content])[] {
  const { texts } = visit.language;
  const entries: (readonly [string, Content])[] = [];
  // The data has the names of capitals in English only.
  if (capital.length > 0) {
    entries.push([texts.capital, html`<bdi lang="en">${capital.join(', ')}</bdi>`]);
  }
  // One is -1, for unknown.
  if (area > 0) entries.push([texts.area, areaText(visit, area)]);
  return entries;
}

function facts(visit: Visit, country: Country): (readonly [string, Content])[] {
  const { tag, texts } = visit.language;
  const { currencies, idd, languages, tld } = country;
  // The area codes of all states of the USA are suffixes, too.
  const suffixes = idd.suffixes.length > 3 ? [''] : idd.suffixes;
  const callingCodes = suffixes.map((suffix) => idd.root + suffix);
  const entries: (readonly [string, string, direction?: 'ltr'])[] = [
    [
      texts.languages,
      listOf(tag, languages, (code, name) => displayName(tag, 'language', code) ?? name),
    ],
    [
      texts.currencies,
      listOf(tag, currencies, (code, { name, symbol }) => {
        return `${displayName(tag, 'currency', code) ?? name} (${symbol})`;
      }),
    ],
    [texts.callingCode, callingCodes.join(' '), 'ltr'],
    [texts.internetDomain, tld.join(' '), 'ltr'],
    [texts.landlocked, country.landlocked ? texts.yes : texts.no],
    [texts.unMember, country.unMember ? texts.yes : texts.no],
  ];
  return entries
    .filter(([, text]) => text !== '')
    .map(([label, text, direction]) => [
      label,
      html`<bdi dir="${direction ?? 'auto'}">${text}</bdi>`,
    ]);
}

function listOf<T>(
  tag: string,
  items: Readonly<Record<string, T>>,
  toText: (code: string, item: T) => string,
): string {
  const texts = Object.entries(items).map(([code, item]) => toText(code, item));
  return new Intl.ListFormat(tag, { type: 'unit' }).format(texts);
}

function nativeNames({ name }: Country, shown: string): Html[] {
  const native = Object.entries(name.native).map(([tag, { common }]) => [common, tag] as const);
  return [...new Map(native)]
    .filter(([common]) => common !== shown)
    .map(([common, tag]) => html`<bdi lang="${tag}">${common}</bdi> `);
}

function translations({ name, translations }: Country): [tag: string, name: string][] {
  const translated = Object.entries(translations).map(
    ([tag, { common }]) => [tag, common] as [string, string],
  );
  return [['eng', name.common], ...translated];
}

function displayName(tag: string, type: 'language' | 'currency', code: string): string | undefined {
  return new Intl.DisplayNames(tag, { type, fallback: 'none' }).of(code);
}
