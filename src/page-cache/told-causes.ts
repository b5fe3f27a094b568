import type { PageRefusal } from './head-judge';

/** Causes that were told already. Each is told once in the life of the process. */
const told = new Set<string>();
const MAX_TOLD = 100;

/** What was found out about a page that is not stored. */
export interface Cause {
  readonly refusal: PageRefusal | 'method';
  /** The input that decided. */
  readonly input: string;
  /** The file that has read it. */
  readonly reader: string | undefined;
  /** Whether the cache stands before the whole app. */
  readonly isFronting: boolean;
}

/** Tells the developer once why pages are not stored, and what to change. */
export function tellCause({ refusal, input, reader, isFronting }: Cause): void {
  const remedy = remedyOf(refusal, isFronting);
  if (remedy === undefined) return;
  const cause = `${refusal} ${input} ${reader}`;
  if (told.has(cause) || told.size >= MAX_TOLD) return;
  told.add(cause);
  const actor = reader ?? 'The code inside the cache';
  process.emitWarning(`A page is not stored: ${actor} has ${remedy.act(input)}. ${remedy.text}`, {
    type: 'PageCacheWarning',
    code: 'CACHEWRIGHT_NOT_STORED',
  });
}

interface Remedy {
  readonly act: (input: string) => string;
  readonly text: string;
}

function remedyOf(refusal: PageRefusal | 'method', isFronting: boolean): Remedy | undefined {
  switch (refusal) {
    case 'identity':
      return {
        act: (input) => `read ${input}, which tells every visitor apart`,
        text: isFronting
          ? 'If that is middleware that runs for every request, give it to cacheApp(app, { before: […] }).'
          : 'If that is middleware that runs for every request, mount it before the cache looks up the page.',
      };
    case 'nonce':
      return {
        act: (input) => `set ${input} with a nonce, which the page then shows`,
        text: 'Set that header before the cache looks up the page, and keep the nonce out of pages that are cached.',
      };
    case 'churn':
      return {
        act: (input) => `made it depend on ${input}, whose value differs from request to request`,
        text: 'If the page does not depend on it, list it in key.state.ignore or varyOnRead; else let the handler send Cache-Control: no-store.',
      };
    default:
      return undefined;
  }
}
