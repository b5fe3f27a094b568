import type { Request } from '../../headers/middleware';
import { ALL_HEADERS, type InputValues, isHeaderInput, isStateInput } from './input-values';
import { peekAt } from './peek';

/** Whether caches downstream cannot tell apart the visitors that a page with these inputs tells apart. */
export function dependsOnState(
  inputs: Iterable<string>,
  values: InputValues,
  req: Request,
): boolean {
  for (const input of inputs) {
    if (input === ALL_HEADERS) return true;
    if (isStateInput(input) && !isOfTarget(input, values)) return true;
    if (isHeaderInput(input) && isRewritten(input, values, req)) return true;
  }
  return false;
}

/** Whether an input is part of the target, which caches downstream know. */
function isOfTarget(input: string, values: InputValues): boolean {
  return input === '@req.query' && values.of(input) === undefined;
}

/** Whether a header was changed by middleware before the look-up, so that clients did not send it. */
function isRewritten(name: string, { headers }: InputValues, req: Request): boolean {
  const raw = peekAt(req, () => req.rawHeaders);
  const sent: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() === name) sent.push(raw[i + 1]!);
  }
  const value = headers[name];
  if (value === undefined) return sent.length > 0;
  const text = Array.isArray(value) ? value.join(', ') : value;
  const separator = name === 'cookie' ? '; ' : ', ';
  return sent.length === 0 || (text !== sent.join(separator) && text !== sent[0]);
}
