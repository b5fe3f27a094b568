import { TAG_KEYWORDS } from '../tag-options';
import type { Lexer, Node, NodeList, Nodes, Parser, Token } from './internals';

/** What a `{% cache %}` says. */
export interface ParsedTag {
  readonly token: Token;
  readonly timeout: Node;
  readonly name: Node;
  readonly varyOn: readonly Node[];
  /** Pairs of a keyword and its value. */
  readonly keywords: readonly Node[];
  readonly body: NodeList;
}

interface Arguments {
  readonly positional: Node[];
  readonly keywords: Map<string, Node>;
}

const USAGE = 'as in {% cache 500, "sidebar", user.name, using="localcache" %}';

/** Parses a tag to behind its end. @throws Nunjucks' TemplateError if it makes no sense. */
export function parseTag(parser: Parser, nodes: Nodes, lexer: Lexer): ParsedTag {
  const token = parser.nextToken();
  const { positional, keywords } = parseArguments(parser, nodes, lexer);
  const [timeout, name, ...varyOn] = positional;
  if (timeout === undefined || name === undefined) {
    return parser.fail(
      `{% cache %} needs a timeout and a name, ${USAGE}`,
      token.lineno,
      token.colno,
    );
  }
  if (!(name instanceof nodes.Literal && typeof name.value === 'string')) {
    return parser.fail(
      `The name of a fragment is text in quotes, ${USAGE}. What it varies on comes after it`,
      name.lineno,
      name.colno,
    );
  }
  parser.advanceAfterBlockEnd(token.value);
  const body = parser.parseUntilBlocks('endcache');
  if (!parser.peekToken()) {
    parser.fail('{% cache %} has no {% endcache %}', token.lineno, token.colno);
  }
  parser.advanceAfterBlockEnd();
  return { token, timeout, name, varyOn, keywords: [...keywords.values()], body };
}

/** Not by Nunjucks' own way, which takes a parenthesis that begins the first one for a call's. */
function parseArguments(parser: Parser, nodes: Nodes, lexer: Lexer): Arguments {
  const positional: Node[] = [];
  const keywords = new Map<string, Node>();
  for (let isFirst = true; ; isFirst = false) {
    const next = parser.peekToken();
    if (next === null || next.type === lexer.TOKEN_BLOCK_END) return { positional, keywords };
    if (!isFirst && !parser.skip(lexer.TOKEN_COMMA)) {
      parser.fail(
        `{% cache %} needs commas between its arguments, ${USAGE}`,
        next.lineno,
        next.colno,
      );
    }
    const argument = parser.parseExpression();
    const { lineno, colno } = argument;
    if (parser.skipValue(lexer.TOKEN_OPERATOR, '=')) {
      const keyword = argument instanceof nodes.Symbol ? argument.value : '';
      if (!TAG_KEYWORDS.some((known) => known === keyword) || keywords.has(keyword)) {
        const known = TAG_KEYWORDS.join(', ');
        parser.fail(`{% cache %} takes each of the keywords ${known} once`, lineno, colno);
      }
      keywords.set(keyword, new nodes.Pair(lineno, colno, argument, parser.parseExpression()));
    } else {
      if (keywords.size > 0) {
        parser.fail(`Keywords of {% cache %} come last, ${USAGE}`, lineno, colno);
      }
      positional.push(argument);
    }
  }
}
