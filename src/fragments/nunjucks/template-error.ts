import type { Runtime } from './internals';

type Position = readonly [line: number, column: number];

/** Where in a template something is rendered. */
export interface Place {
  readonly runtime: Runtime;
  /** Of the tag, from 1 on. */
  readonly line: number;
  readonly column: number;
  /** Line and column, from 0 on, of what was called last before the tag, wherever that was. */
  readonly since: Position;
  /** The same as of now. */
  at(): Position;
}

interface TemplateError extends Error {
  readonly lineno?: number;
  readonly colno?: number;
  /** Whether no template has put its name to it yet. */
  readonly firstUpdate: boolean;
}

/**
 * The error that Nunjucks is given for one that was thrown in a tag, or behind it: one of its own,
 * with a line, to which it will put the template's name.
 */
export function templateError(place: Place, thrown: unknown): Error {
  const { runtime } = place;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const [line, column] = lastPlace(place);
  if (!isTemplateError(error)) return runtime.handleError(error, line, column);
  // A copy: all who waited for a fragment get the same error, and each template writes into it.
  return error.firstUpdate && error.lineno
    ? runtime.handleError(error.message, error.lineno, error.colno ?? 0)
    : runtime.handleError(error.message, line, column);
}

function isTemplateError(error: Error): error is TemplateError {
  return 'lineno' in error && 'firstUpdate' in error;
}

/** That of the last call since the tag began, or of the tag. */
function lastPlace({ line, column, since, at }: Place): Position {
  const [lastLine, lastColumn] = at();
  const isCalled = lastLine !== since[0] || lastColumn !== since[1];
  return isCalled ? [lastLine + 1, lastColumn + 1] : [line, column];
}
