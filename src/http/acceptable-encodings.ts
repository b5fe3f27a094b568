import { jointWeight, parseWeightedList } from './weighted-list';

/**
 * What a request's `Accept-Encoding` comes to if only these encodings exist: those it accepts, in
 * the order of the list, or `identity` if there are none, and `identity;q=0` behind them where it
 * refuses that. A request without the header would take anything, but not gladly: it is asked for
 * no encoding.
 *
 * @returns a value for `Accept-Encoding` that accepts nothing which the request does not.
 * @see RFC 9110 §12.5.3
 */
export function acceptableEncodings(
  value: string | undefined,
  encodings: readonly string[],
): string {
  const weights = new Map<string, number>();
  for (const { name, weight } of value === undefined ? [] : parseWeightedList(value)) {
    weights.set(name, jointWeight(weights.get(name), weight));
  }
  const weightOf = (name: string) => weights.get(name.toLowerCase()) ?? weights.get('*');
  const accepted = encodings.filter((encoding) => (weightOf(encoding) ?? 0) > 0);
  if (weightOf('identity') === 0) return [...accepted, 'identity;q=0'].join(', ');
  return accepted.length === 0 ? 'identity' : accepted.join(', ');
}
