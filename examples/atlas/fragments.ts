import { cacheFragment } from 'cachewright';
import { Html } from './html';
import type { Visit } from './visit';

const DAY = 24 * 60 * 60;

/**
 * A part of several pages, kept once for each language, and for what else makes it another. The
 * page's footer tells of it.
 */
export async function fragment(
  visit: Visit,
  name: string,
  varyOn: readonly string[],
  render: () => Html,
): Promise<Html> {
  const { language, isLanguageChosen, parts } = visit;
  let isHit = true;
  // The links in it lead on in the language that was chosen.
  const keys = [language.tag, isLanguageChosen, ...varyOn];
  const markup = await cacheFragment(DAY, name, keys, () => {
    isHit = false;
    return render().markup;
  });
  parts.push({ name, isHit });
  return new Html(markup);
}
