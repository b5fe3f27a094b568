import {
  type Arguments,
  type Context,
  type Emitter,
  type Liquid,
  type Parser,
  Tag,
  type TagToken,
  type Template,
  Tokenizer,
  type TopLevelToken,
  toValue,
  Value,
} from 'liquidjs';
import { cacheFragment } from '../cache-fragment';
import { TAG_KEYWORDS, type TagKeywords, tagOptions } from '../tag-options';

/**
 * Adds the tag `{% cache %}` to the templates of an engine, in Django's own syntax:
 * `{% cache 500 sidebar user.name using="localcache" %} … {% endcache %}`, with a timeout, a name, what
 * the fragment varies on, and the keywords `tags`, `version` and, as the last one, `using`.
 *
 * The name is taken as it is spelt, quotes included. All else may be filtered, without spaces:
 * `minutes|times:60`.
 *
 * @see Django's `{% cache %}`
 * @example
 * const engine = new Liquid({ root: 'views', extname: '.liquid' });
 * addCacheTag(engine);
 */
export function addCacheTag(engine: Liquid): void {
  engine.registerTag('cache', CacheTag);
}

/** Words of a tag: what is in quotes is not split. */
const WORDS = /(?:[^\s'"]*(?:(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[^\s'"]*)+)|\S+/g;

const KEYWORD = new RegExp(`^(${TAG_KEYWORDS.join('|')})=`);

const USAGE = 'as in {% cache 500 sidebar user.name using="localcache" %}';

interface Word {
  readonly text: string;
  /** Where in the template it begins. */
  readonly at: number;
}

class CacheTag extends Tag {
  readonly #timeout: Value;
  readonly #name: string;
  readonly #varyOn: readonly Value[];
  readonly #keywords: ReadonlyMap<string, Value>;
  readonly #body: Template[] = [];

  constructor(token: TagToken, remaining: TopLevelToken[], liquid: Liquid, parser: Parser) {
    super(token, remaining, liquid);
    const words = wordsOf(token);
    const keywords = takeKeywords(words);
    const [timeout, name, ...varyOn] = words;
    if (timeout === undefined || name === undefined) {
      throw new Error(`{% cache %} needs a timeout and a name, ${USAGE}`);
    }
    const parsed = (word: Word) => expression(word, token, liquid);
    this.#timeout = parsed(timeout);
    this.#name = name.text;
    this.#varyOn = varyOn.map(parsed);
    this.#keywords = new Map([...keywords].map(([keyword, word]) => [keyword, parsed(word)]));
    let isClosed = false;
    const stream = parser.parseStream(remaining);
    stream
      .on('tag:endcache', () => {
        isClosed = true;
        stream.stop();
      })
      .on('template', (template: Template) => {
        this.#body.push(template);
      })
      .start();
    if (!isClosed) throw new Error('{% cache %} has no {% endcache %}');
  }

  *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    if (context.sync) {
      throw new Error(
        '{% cache %} cannot be rendered synchronously, for a cache answers later. Use render() or renderFile() in place of renderSync() or renderFileSync().',
      );
    }
    const timeout = toValue(yield this.#timeout.value(context));
    const varyOn: unknown[] = [];
    for (const value of this.#varyOn) varyOn.push(toValue(yield value.value(context)));
    const keywords: Record<string, unknown> = {};
    for (const [keyword, value] of this.#keywords) {
      keywords[keyword] = toValue(yield value.value(context));
    }
    emitter.write(yield this.#html(context, timeout, varyOn, keywords));
  }

  /** For LiquidJS' static analysis, as are the arguments. */
  // biome-ignore lint/correctness/useYield: it has nothing to wait for
  *children(): Generator<unknown, Template[]> {
    return this.#body;
  }

  *arguments(): Arguments {
    yield this.#timeout;
    yield* this.#varyOn;
    yield* this.#keywords.values();
  }

  async #html(
    context: Context,
    timeout: unknown,
    varyOn: readonly unknown[],
    keywords: TagKeywords,
  ): Promise<string> {
    const render = () => this.#render(context);
    try {
      const options = tagOptions(keywords);
      return await cacheFragment(timeout as never, this.#name, varyOn, render, options);
    } catch (error) {
      if (!(error instanceof Unstorable)) throw error;
      return error.context === context ? error.html : this.#text(context);
    }
  }

  /** @throws Unstorable if it is more than text. */
  async #render(context: Context): Promise<string> {
    const blocks = { ...blocksOf(context) };
    const html = await this.#text(context);
    const isBlockNew = Object.entries(blocksOf(context)).some(([name, it]) => blocks[name] !== it);
    if (context.breakCalled || context.continueCalled || isBlockNew) {
      throw new Unstorable(html, context);
    }
    return html;
  }

  async #text(context: Context): Promise<string> {
    return String((await this.liquid.render(this.#body, context)) ?? '');
  }
}

/**
 * Tells that a fragment has left the loop around it, or brought blocks for the layout of its page,
 * which text alone would not do.
 */
class Unstorable extends Error {
  constructor(
    readonly html: string,
    readonly context: Context,
  ) {
    super('This fragment is more than text.');
  }
}

/** By name, the blocks that the layout is to show. */
function blocksOf(context: Context): Record<string, unknown> {
  return context.getRegister('blocks') ?? {};
}

function wordsOf(token: TagToken): Word[] {
  const { input, contentRange } = token;
  const start = token.tokenizer.p;
  const text = input.slice(start, contentRange[1]);
  return [...text.matchAll(WORDS)].map((match) => ({ text: match[0], at: start + match.index }));
}

/** Takes the keywords from the end of the words. */
function takeKeywords(words: Word[]): Map<string, Word> {
  const keywords = new Map<string, Word>();
  for (;;) {
    const word = words.at(-1);
    const keyword = KEYWORD.exec(word?.text ?? '')?.[1];
    if (word === undefined || keyword === undefined) break;
    if (keywords.has(keyword)) throw new Error(`{% cache %} has ${keyword} twice`);
    if (keyword === 'using' && keywords.size > 0) {
      throw new Error(`using is the last argument of {% cache %}, ${USAGE}`);
    }
    const begin = keyword.length + 1;
    keywords.set(keyword, { text: word.text.slice(begin), at: word.at + begin });
    words.pop();
  }
  const early = words.find(({ text }) => KEYWORD.test(text));
  if (early !== undefined) {
    throw new Error(`Keywords of {% cache %} come last, ${USAGE}, but not ${early.text}`);
  }
  return keywords;
}

function expression({ text, at }: Word, token: TagToken, liquid: Liquid): Value {
  const { operators, groupedExpressions } = liquid.options;
  // Of the whole template, so that errors tell where they are in it.
  const tokenizer = new Tokenizer(
    token.input,
    operators,
    token.file,
    [at, at + text.length],
    groupedExpressions,
  );
  const value = new Value(tokenizer.readFilteredValue(), liquid);
  tokenizer.assert(tokenizer.end(), () => `unexpected ${JSON.stringify(tokenizer.remaining())}`);
  return value;
}
