/** Longest text that a message shows of a value. */
const LONGEST = 100;

/** A value as an error message shows it: short, and never the whole of an object. Never throws. */
export function describe(value: unknown): string {
  const text = textOf(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return value.name === '' ? 'a function' : `${value.name}()`;
  if (Array.isArray(value)) return `[${value.slice(0, 5).map(itemOf).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return kindOf(value);
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

function itemOf(value: unknown): string {
  return Array.isArray(value) ? '[…]' : textOf(value);
}

function kindOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `a ${name}` : 'an object';
}
