/** Markup that may be sent as it is, because all text in it was escaped. */
export class Html {
  constructor(readonly markup: string) {}
}

/** What `${}` of a template may hold: text is escaped, lists are joined, nothing shows nothing. */
export type Content = Html | string | number | false | undefined | readonly Content[];

/** Builds markup from a template; text that is put into it is escaped. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Html {
  let markup = strings[0]!;
  for (const [i, content] of contents.entries()) markup += toMarkup(content) + strings[i + 1]!;
  return new Html(markup);
}

function toMarkup(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Html) return content.markup;
  if (Array.isArray(content)) return content.map(toMarkup).join('');
  return escapeHtml(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
