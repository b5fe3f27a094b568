import { html } from '../html';
import type { Page } from '../layout';
import type { Visit } from '../visit';

/** What an address shows that leads nowhere. */
export function notFoundPage({ language, link }: Visit): Page {
  const { texts } = language;
  const content = html`
<h1>${texts.notFound}</h1>
<p class="lede">${texts.notFoundLede}</p>
<p><a href="${link('/')}">${texts.goHome}</a></p>`;
  return { title: texts.notFound, content };
}
