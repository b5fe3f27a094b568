/** Parts of Nunjucks that its extensions are handed, as far as the tag uses them. */

export interface Token {
  readonly type: string;
  readonly value: string;
  /** From 0 on, as is the column. */
  readonly lineno: number;
  readonly colno: number;
}

/** What cuts a template into tokens. */
export interface Tokens {
  readonly str: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly trimBlocks: boolean;
  readonly lstripBlocks: boolean;
}

export interface Lexer {
  readonly TOKEN_BLOCK_END: string;
  readonly TOKEN_COMMA: string;
  readonly TOKEN_OPERATOR: string;
  lex(source: string, options: object): Tokens;
}

export interface Node {
  lineno: number;
  colno: number;
}

export interface NodeList extends Node {
  readonly children: Node[];
}

/** A tag of an extension, in the tree of a template. */
export interface ExtensionNode extends Node {
  readonly extName: string;
  readonly args: NodeList;
  readonly contentArgs: readonly NodeList[];
}

export interface IfNode extends Node {
  readonly cond: Node;
  readonly body: Node;
  readonly else_: Node | null;
}

export interface ForNode extends Node {
  arr: Node;
  readonly name: Node;
  body: Node;
  else_: Node | null;
}

type NodeClass<T extends Node, Fields extends unknown[]> = new (
  lineno: number,
  colno: number,
  ...fields: Fields
) => T;

type ExtensionClass = new (
  extension: object | string,
  method: string,
  args: NodeList,
  bodies: readonly NodeList[],
) => ExtensionNode;

/** Of a node that is recognized, and never made. */
type Construct<T extends Node = Node> = abstract new () => T;

export interface Nodes {
  readonly Node: Construct;
  readonly NodeList: NodeClass<NodeList, [children: readonly Node[]]>;
  readonly Array: NodeClass<NodeList, [children: readonly Node[]]>;
  readonly Dict: NodeClass<NodeList, [children: readonly Node[]]>;
  readonly Output: NodeClass<NodeList, [children: readonly Node[]]>;
  readonly Pair: NodeClass<Node, [key: Node, value: Node]>;
  readonly Literal: NodeClass<Node & { readonly value: unknown }, [value: unknown]>;
  readonly Symbol: Construct<Node & { readonly value: string }>;
  readonly FunCall: NodeClass<Node, [name: Node, args: NodeList]>;
  readonly If: NodeClass<IfNode, [cond: Node, body: Node, else_?: Node | null]>;
  readonly IfAsync: NodeClass<IfNode, [cond: Node, body: Node, else_?: Node | null]>;
  readonly For: Construct<ForNode>;
  readonly AsyncEach: NodeClass<ForNode, [arr: Node, name: Node, body: Node, else_: Node | null]>;
  readonly AsyncAll: Construct<ForNode>;
  readonly Include: Construct;
  readonly Block: Construct;
  readonly Capture: Construct;
  readonly Macro: Construct;
  readonly Switch: Construct;
  readonly CallExtension: ExtensionClass;
  readonly CallExtensionAsync: ExtensionClass;
}

export interface Parser {
  tokens: Tokens;
  nextToken(): Token;
  /** `null` at the end of the template. */
  peekToken(): Token | null;
  skip(type: string): boolean;
  skipValue(type: string, value: string): boolean;
  parse(): NodeList;
  parseExpression(): Node;
  parseUntilBlocks(...names: string[]): NodeList;
  advanceAfterBlockEnd(name?: string): Token;
  /** @throws Nunjucks' TemplateError */
  fail(message: string, lineno: number, colno: number): never;
}

/** Variables of a template or a part of one, within those of what is around it. */
export interface Frame {
  readonly parent?: Frame | null;
  push(): Frame;
}

/** What compiled templates are run with. */
export interface Runtime {
  readonly SafeString: new (text: string) => object;
  /** A TemplateError of an error, or a message, that is none yet. */
  handleError(error: Error | string, line: number, column: number): Error;
}

/** A class of nodes. */
export type Kind = abstract new (...args: never) => Node;

/** Whether a node is of one of these kinds. */
export function isAny(node: Node, ...kinds: readonly Kind[]): boolean {
  return kinds.some((kind) => node instanceof kind);
}

/** The nodes right below one. */
export function childrenOf(node: Node, nodes: Nodes): Node[] {
  return Object.values(node)
    .flat()
    .filter((value): value is Node => value instanceof nodes.Node);
}

/** Puts other nodes in the place of those right below one. */
export function replaceChildren(node: Node, nodes: Nodes, replace: (child: Node) => Node): void {
  const replaced = (value: unknown) => (value instanceof nodes.Node ? replace(value) : value);
  for (const [field, value] of Object.entries(node)) {
    const made = Array.isArray(value) ? value.map(replaced) : replaced(value);
    Object.assign(node, { [field]: made });
  }
}

/**
 * An expression of JavaScript. Nunjucks writes literals into the compiled template as they are spelt;
 * so it can name all that is in scope there.
 */
export function codeNode({ lineno, colno }: Node | Token, nodes: Nodes, code: string): Node {
  return new nodes.Literal(lineno, colno, { toString: () => code });
}
