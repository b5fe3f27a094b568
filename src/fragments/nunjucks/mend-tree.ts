import {
  childrenOf,
  codeNode,
  type ExtensionNode,
  type ForNode,
  type Frame,
  type IfNode,
  isAny,
  type Kind,
  type Node,
  type Nodes,
  replaceChildren,
} from './internals';

/** What mended templates call. */
export interface MendedSite {
  /** A list of what a loop with so many names goes through. */
  readonly listOf: (looped: unknown, names: number) => readonly unknown[];
  /** Variables for what is rendered where there is no waiting. */
  readonly hurry: (frame: Frame) => Frame;
  /** Called in each round of a loop that waits: one that had no need to calls the next round itself. */
  breathe(context: unknown, frame: Frame, callback: (error: unknown) => void): void;
}

/**
 * Makes Nunjucks wait for tags wherever it can, and marks those for which it cannot. Left alone, it
 *
 * - does not wait in macros and what `call` hands to one, in blocks that are set or filtered, nor in
 *   a switch;
 * - does not wait in a condition or a loop for templates that are included there, and for blocks;
 * - takes an object for an empty list where a loop waits, breaks on text and on what is undefined, and
 *   runs out of stack if the loop is long;
 * - does not find blocks that are in a tag.
 */
export class TreeMender {
  readonly #nodes: Nodes;
  readonly #extension: string;

  /** @param extension - The name of the one whose tags these are. */
  constructor(nodes: Nodes, extension: string) {
    this.#nodes = nodes;
    this.#extension = extension;
  }

  /** The tree to compile in place of `node`, which is changed. */
  mend(node: Node, isHasty = false): Node {
    const nodes = this.#nodes;
    const mendAll = (within: Node, isHastyWithin: boolean) =>
      replaceChildren(within, nodes, (child) => this.mend(child, isHastyWithin));
    if (isAny(node, nodes.For)) return this.#mendLoop(node as ForNode, isHasty);
    if (isAny(node, nodes.Macro, nodes.Capture, nodes.Switch)) {
      mendAll(node, true);
      return node;
    }
    if (isAny(node, nodes.Include, nodes.Block)) {
      // A block is a function, and waited for or not by whoever calls it.
      mendAll(node, false);
      return isHasty ? this.#hurried(node) : node;
    }
    mendAll(node, isHasty);
    if (this.#isTag(node)) return this.#mendTag(node as ExtensionNode, isHasty);
    const isCondition = isAny(node, nodes.If) && !isAny(node, nodes.IfAsync);
    if (isCondition && !isHasty && this.#contains(node, nodes.Include, nodes.Block)) {
      const { lineno, colno, cond, body, else_ } = node as IfNode;
      return new nodes.IfAsync(lineno, colno, cond, body, else_);
    }
    return node;
  }

  #isTag(node: Node): boolean {
    return (
      isAny(node, this.#nodes.CallExtensionAsync) &&
      (node as ExtensionNode).extName === this.#extension
    );
  }

  #mendTag(tag: ExtensionNode, isHasty: boolean): Node {
    const nodes = this.#nodes;
    const { lineno, colno, args, contentArgs } = tag;
    const node = isHasty
      ? new nodes.CallExtension(this.#extension, 'renderAtOnce', args, contentArgs)
      : tag;
    Object.assign(node, { lineno, colno });
    const blocks = [...this.#blocksIn(contentArgs[0]!)];
    if (blocks.length === 0) return node;
    // Once more, where they are never rendered, but found.
    const never = new nodes.Literal(lineno, colno, false);
    const hidden = new nodes.If(lineno, colno, never, new nodes.NodeList(lineno, colno, blocks));
    return new nodes.NodeList(lineno, colno, [hidden, node]);
  }

  #mendLoop(loop: ForNode, isHasty: boolean): Node {
    const nodes = this.#nodes;
    const isMadeToWait = !isHasty && this.#isMadeToWait(loop.body);
    const isWaiting = isMadeToWait || (!isHasty && isAny(loop, nodes.AsyncEach));
    const { lineno, colno, arr, name } = loop;
    loop.body = this.mend(loop.body, !isWaiting);
    // Nunjucks goes on right behind it.
    if (loop.else_ !== null) loop.else_ = this.mend(loop.else_, true);
    if (!isMadeToWait) return loop;
    const names = isAny(name, nodes.Array) ? childrenOf(name, nodes).length : 1;
    const count = new nodes.Literal(lineno, colno, names);
    const args = new nodes.NodeList(lineno, colno, [arr, count]);
    loop.arr = new nodes.FunCall(lineno, colno, this.#method(loop, 'listOf'), args);
    const breath = new nodes.CallExtensionAsync(
      this.#extension,
      'breathe' satisfies keyof MendedSite,
      new nodes.NodeList(lineno, colno, [codeNode(loop, nodes, 'frame')]),
      [],
    );
    loop.body = new nodes.NodeList(lineno, colno, [breath, loop.body]);
    if (!isAny(loop, nodes.AsyncAll)) return loop;
    // Its rounds have their variables in common: a fragment could have those of another round.
    return new nodes.AsyncEach(lineno, colno, loop.arr, name, loop.body, loop.else_);
  }

  /** Whether Nunjucks will make a loop wait that has this in it. */
  #isMadeToWait(node: Node): boolean {
    const nodes = this.#nodes;
    const { CallExtensionAsync, IfAsync, AsyncEach, AsyncAll, Macro, Capture, Switch } = nodes;
    if (node instanceof CallExtensionAsync || isAny(node, IfAsync, AsyncEach, AsyncAll)) {
      return true;
    }
    if (isAny(node, Macro, Capture, Switch)) return false;
    const below = isAny(node, nodes.For) ? [(node as ForNode).body] : childrenOf(node, nodes);
    return below.some((child) => this.#isMadeToWait(child));
  }

  /** Lets what a node renders know that nobody waits for it. */
  #hurried(node: Node): Node {
    const nodes = this.#nodes;
    const { lineno, colno } = node;
    const silent = (code: string) =>
      new nodes.Output(lineno, colno, [codeNode(node, nodes, `(${code}, "")`)]);
    const extension = `env.getExtension(${JSON.stringify(this.#extension)})`;
    return new nodes.NodeList(lineno, colno, [
      silent(`frame = ${extension}.hurry(frame)`),
      node,
      silent('frame = frame.pop()'),
    ]);
  }

  #method(at: Node, method: keyof MendedSite): Node {
    const extension = JSON.stringify(this.#extension);
    return codeNode(at, this.#nodes, `env.getExtension(${extension}).${method}`);
  }

  #contains(node: Node, ...kinds: readonly Kind[]): boolean {
    return childrenOf(node, this.#nodes).some(
      (child) => isAny(child, ...kinds) || this.#contains(child, ...kinds),
    );
  }

  /** The outermost blocks. */
  #blocksIn(node: Node): Set<Node> {
    const nodes = this.#nodes;
    if (isAny(node, nodes.Block)) return new Set([node]);
    return new Set(childrenOf(node, nodes).flatMap((child) => [...this.#blocksIn(child)]));
  }
}

/**
 * What a loop goes through that does not wait, as a list. So an object that is none is empty for one
 * name, and has pairs for two.
 */
export function listOf(looped: unknown, names: number): readonly unknown[] {
  if (!looped) return [];
  const isIterable = typeof looped === 'object' && Symbol.iterator in looped;
  const list = isIterable ? Array.from(looped as Iterable<unknown>) : looped;
  if (names === 1) {
    const { length = 0 } = list as { length?: number };
    return Array.from({ length }, (_, i) => (list as Record<number, unknown>)[i]);
  }
  if (!Array.isArray(list)) {
    return Object.entries(list);
  }
  // Copies: for more than three names Nunjucks adds to them.
  return list.map((item) => Array.from({ length: names }, (_, i) => item[i]));
}
