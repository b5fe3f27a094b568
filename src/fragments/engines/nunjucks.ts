import { cacheFragment } from '../cache-fragment';
import { cacheFragmentAtOnce } from '../fragment-at-once';
import {
  codeNode,
  type Frame,
  type Lexer,
  type Node,
  type NodeList,
  type Nodes,
  type Parser,
} from '../nunjucks/internals';
import { listOf, type MendedSite, TreeMender } from '../nunjucks/mend-tree';
import { type ParsedTag, parseTag } from '../nunjucks/parse-tag';
import { type Place, templateError } from '../nunjucks/template-error';
import { type TagKeywords, tagOptions } from '../tag-options';

/** An environment of Nunjucks, as far as it is used here. */
export interface NunjucksEnvironment {
  readonly opts?: { readonly tags?: { readonly blockStart?: string; readonly blockEnd?: string } };
  hasExtension(name: string): boolean;
  addExtension(name: string, extension: NunjucksExtension): unknown;
}

/** What Nunjucks takes for an extension. */
export interface NunjucksExtension {
  tags: string[];
  parse(parser: unknown, nodes: unknown, lexer: unknown): unknown;
}

/**
 * Adds the tag `{% cache %}` to the templates of an environment:
 * `{% cache 500, "sidebar", user.name, using="localcache" %} … {% endcache %}`, with a timeout, a name
 * in quotes, what the fragment varies on, and the keywords `using`, `tags` and `version`.
 *
 * Templates that have it are rendered asynchronously: `env.render()` needs its callback, which
 * Express gives it. Where Nunjucks does not wait, in macros and the like, fragments are cached on
 * local memory, and rendered each time on all other backends.
 *
 * @see Django's `{% cache %}`
 * @example
 * addCacheTag(nunjucks.configure('views', { express: app }));
 */
export function addCacheTag(env: NunjucksEnvironment): void {
  if (env.hasExtension(NAME)) return;
  const { blockStart = '{%', blockEnd = '%}' } = env.opts?.tags ?? {};
  env.addExtension(NAME, new CacheTag(`${blockStart} ${NAME} ${blockEnd}`));
}

type Callback = (error: unknown, html?: unknown) => void;

/** Renders what is in a tag: returned, if there is no callback, else handed to it. */
type Body = (callback?: Callback) => string;

/** What a tag is told of where it stands, as it is rendered. */
interface Site extends Place {
  readonly frame: Frame;
  /** Whether it stands in a template that extends another, outside of its blocks. */
  readonly isDropped: boolean;
}

/** By which compiled templates find the extension. */
const NAME = 'cachewright';

/** Rounds of loops after which the stack is left. */
const ROUNDS = 50;

const hastyFrames = new WeakSet<Frame>();

/** Fragments of which it was warned. */
const uncached = new Set<string>();

class CacheTag implements MendedSite {
  readonly tags = ['cache', NAME];
  /** Puts a tag at the beginning of each template, so that it is seen as a whole. */
  readonly preprocess: (source: string) => string;
  readonly listOf = listOf;
  readonly #start: string;
  #rounds = 0;

  constructor(start: string) {
    this.#start = start;
    this.preprocess = (source) => start + source;
  }

  parse(parser: Parser, nodes: Nodes, lexer: Lexer): Node {
    if (parser.peekToken()?.value === NAME) return this.#parseTemplate(parser, nodes, lexer);
    const tag = parseTag(parser, nodes, lexer);
    const { lineno, colno } = tag.token;
    const node = new nodes.CallExtensionAsync(this, 'render', argumentsOf(tag, nodes), [tag.body]);
    return Object.assign(node, { lineno, colno });
  }

  /** Called by compiled templates, which go on in `callback`. */
  render(
    context: unknown,
    site: Site,
    timeout: never,
    name: string,
    varyOn: readonly unknown[],
    keywords: TagKeywords,
    body: Body,
    callback: Callback,
  ): void {
    if (isHasty(site.frame)) {
      // Because of the template that includes this one.
      callback(null, this.renderAtOnce(context, site, timeout, name, varyOn, keywords, body));
      return;
    }
    if (site.isDropped) {
      // Nobody will see it, and the blocks in it are not rendered.
      body((error) => callback(error, ''));
      return;
    }
    const render = () =>
      new Promise<string>((resolve, reject) => {
        body((error, html) => (error ? reject(error) : resolve(html as string)));
      });
    const show = async () => cacheFragment(timeout, name, varyOn, render, tagOptions(keywords));
    show().then(
      (html) =>
        goOn(callback, new site.runtime.SafeString(html), (error) => templateError(site, error)),
      (error: unknown) => fail(callback, templateError(site, error)),
    );
  }

  /** Called by compiled templates where there is no waiting. */
  renderAtOnce(
    _context: unknown,
    site: Site,
    timeout: unknown,
    name: string,
    varyOn: readonly unknown[],
    keywords: TagKeywords,
    body: Body,
  ): object {
    try {
      const warn = () => warnOfUncached(name, site);
      const options = tagOptions(keywords);
      const html = cacheFragmentAtOnce(timeout, name, varyOn, () => body(), options, warn);
      return new site.runtime.SafeString(html);
    } catch (error) {
      throw templateError(site, error);
    }
  }

  breathe(_context: unknown, frame: Frame, callback: Callback): void {
    this.#rounds = (this.#rounds + 1) % ROUNDS;
    if (this.#rounds > 0 || isHasty(frame)) callback(null);
    else Promise.resolve().then(() => goOn(callback, null, (error) => error as Error));
  }

  readonly hurry = (frame: Frame): Frame => {
    const hasty = frame.push();
    hastyFrames.add(hasty);
    return hasty;
  };

  #parseTemplate(parser: Parser, nodes: Nodes, lexer: Lexer): Node {
    const { value } = parser.nextToken();
    parser.advanceAfterBlockEnd(value);
    const { str, tags, trimBlocks, lstripBlocks } = parser.tokens;
    if (str.startsWith(this.#start)) {
      // Lines and columns are those of the template as it was written.
      parser.tokens = lexer.lex(str.slice(this.#start.length), {
        trimBlocks,
        lstripBlocks,
        tags: {
          blockStart: tags.BLOCK_START,
          blockEnd: tags.BLOCK_END,
          variableStart: tags.VARIABLE_START,
          variableEnd: tags.VARIABLE_END,
          commentStart: tags.COMMENT_START,
          commentEnd: tags.COMMENT_END,
        },
      });
    }
    return new TreeMender(nodes, NAME).mend(parser.parse());
  }
}

/** What compiled templates call the extension with. */
function argumentsOf(
  { token, timeout, name, varyOn, keywords }: ParsedTag,
  nodes: Nodes,
): NodeList {
  const { lineno, colno } = token;
  // `lineno` and `colno` are of the last call; only the root of a template has a `parentTemplate`.
  const site = `{
    runtime: runtime,
    frame: frame,
    line: ${lineno + 1},
    column: ${colno + 1},
    since: [lineno, colno],
    at: function() { return [lineno, colno]; },
    isDropped: typeof parentTemplate !== "undefined" && parentTemplate !== null
  }`;
  return new nodes.NodeList(lineno, colno, [
    codeNode(token, nodes, site),
    timeout,
    name,
    new nodes.Array(lineno, colno, varyOn),
    new nodes.Dict(lineno, colno, keywords),
  ]);
}

/** Whether what has these variables is rendered where there is no waiting. */
function isHasty(frame: Frame): boolean {
  for (let at: Frame | null | undefined = frame; at; at = at.parent) {
    if (hastyFrames.has(at)) return true;
  }
  return false;
}

/** Lets a template go on with `html`. It has nobody else to tell of an error that it comes to. */
function goOn(callback: Callback, html: unknown, errorOf: (thrown: unknown) => Error): void {
  try {
    callback(null, html);
  } catch (error) {
    fail(callback, errorOf(error));
  }
}

function fail(callback: Callback, error: Error): void {
  try {
    callback(error);
  } catch {
    process.emitWarning(
      `A template was rendered without a callback, and nobody told of its error: ${error.message}`,
      { type: 'CacheFragmentWarning', code: 'CACHEWRIGHT_FRAGMENT' },
    );
  }
}

function warnOfUncached(name: string, { line }: Site): void {
  if (uncached.has(name)) return;
  uncached.add(name);
  process.emitWarning(
    `Fragment ${JSON.stringify(name)}, on line ${line} of its template, is rendered each time: Nunjucks does not wait for its cache in a macro, a switch, a block of call, set or filter, the else of a loop, or a template that is included in one of these or in a loop. Put {% cache %} around it, make the loop an asyncEach, or keep fragments on local memory: an alias template_fragments does so for all.`,
    { type: 'CacheFragmentWarning', code: 'CACHEWRIGHT_FRAGMENT' },
  );
}
