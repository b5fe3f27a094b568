import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Html, html } from './html';
import { languages } from './languages';
import { type Part, type Visit, withQuery } from './visit';

/** Where the style sheet and the script are. */
export const assetDirectory = join(__dirname, 'assets');

/** What differs from page to page. */
export interface Page {
  readonly title: string;
  readonly content: Html;
  /** In the search field. */
  readonly query?: string;
}

/** A whole document around the content of a page. */
export function layout(visit: Visit, { title, content, query = '' }: Page): string {
  const { language, link, path } = visit;
  const { texts } = language;
  const { markup } = html`<!doctype html>
<html lang="${language.tag}" dir="${language.direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Atlas</title>
<link rel="stylesheet" href="${assetUrl('atlas.css')}">
<link rel="icon" href="${assetUrl('icon.svg')}" type="image/svg+xml">
<script src="${assetUrl('footer.js')}" defer></script>
</head>
<body>
<a class="skip" href="#content">${texts.skipToContent}</a>
<header class="top">
  <a class="brand" href="${link('/')}">${GLOBE}<span>Atlas</span></a>
  <nav aria-label="Atlas">
    ${navLink(visit, '/', texts.countries)}
    ${navLink(visit, '/borders', texts.borders)}
    ${navLink(visit, '/passport', texts.passport)}
  </nav>
  <form class="search" action="/search" role="search">
    <input type="search" name="q" value="${query}" aria-label="${texts.search}"
      placeholder="${texts.searchHint}" autocomplete="off">
    ${visit.isLanguageChosen && html`<input type="hidden" name="lang" value="${language.tag}">`}
  </form>
  <details class="languages">
    <summary><span class="hidden">${texts.language}: </span>${language.name}</summary>
    <ul>${languages.map(
      ({
        tag,
        name,
        direction,
      }) => html`<li><a href="${withQuery(path, { ...visit.query, lang: tag })}"
        lang="${tag}" dir="${direction}" hreflang="${tag}"
        ${tag === language.tag && html`aria-current="true"`}>${name}</a></li>`,
    )}</ul>
  </details>
</header>
<main id="content">
${content}
</main>
${footer(visit)}
</body>
</html>
`;
  return markup;
}

function navLink({ link, path }: Visit, to: string, label: string): Html {
  return html`<a href="${link(to)}" ${path === to && html`aria-current="page"`}>${label}</a>`;
}

/**
 * What can be stored with the page: when it was rendered, and how long that took. The script adds
 * how this visitor got it, from the `Server-Timing` of the response.
 */
function footer({ language, startedAt, parts }: Visit): Html {
  const { texts } = language;
  const now = new Date();
  const time = html`<time datetime="${now.toISOString()}">${now.toISOString().slice(11, 19)} UTC</time>`;
  const took = formatNumber(language.tag, performance.now() - startedAt, 1);
  return html`<footer>
  <p class="made" data-hit="${texts.hit}" data-miss="${texts.miss}" data-browser="${texts.fromBrowser}">
    <strong class="outcome" hidden></strong>
    <span class="how" role="status"></span>
    <span>${texts.rendered(time, took)}</span>
    ${parts.length > 0 && html`<span class="parts">${texts.parts(parts.map(partText))}</span>`}
  </p>
  <p>${texts.data}: <a href="https://mledoze.github.io/countries/" lang="en">world-countries</a>
    (<a href="https://opendatacommons.org/licenses/odbl/1-0/" lang="en">ODbL</a>)</p>
</footer>`;
}

/** A part's name, and whether it was there already. */
function partText({ name, isHit }: Part): Html {
  return html`<span class="outcome" data-outcome="${isHit ? 'hit' : 'miss'}">${name}: ${isHit ? 'hit' : 'miss'}</span>`;
}

/** A number as it is written in a language. */
export function formatNumber(tag: string, number: number, decimals = 0): string {
  return new Intl.NumberFormat(tag, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(number);
}

const assetUrls = new Map<string, string>();

/** Address of a file in `assets/`, which changes with its content. */
function assetUrl(file: string): string {
  let url = assetUrls.get(file);
  if (url === undefined) {
    const hash = createHash('sha256').update(readFileSync(join(assetDirectory, file)));
    url = `/assets/${file}?${hash.digest('hex').slice(0, 8)}`;
    assetUrls.set(file, url);
  }
  return url;
}

const GLOBE = html`<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="9.5"/>
<ellipse cx="12" cy="12" rx="4.2" ry="9.5"/><path d="M2.5 12h19M4 7.2h16M4 16.8h16"/></svg>`;
