/** What a request prefers, of languages or encodings: `en-GB;q=0.8`. */
export interface Weighted {
  /** In lower case. */
  readonly name: string;
  /** From 0, refused, to 1. */
  readonly weight: number;
}

/**
 * The members of `Accept-Language` or `Accept-Encoding`. One whose weight is not well-formed says
 * nothing, and is left out.
 *
 * @see RFC 9110 §12.4.2
 */
export function parseWeightedList(value: string): Weighted[] {
  return value
    .toLowerCase()
    .split(',')
    .flatMap((member) => {
      const [name = '', parameter = 'q=1', ...others] = member
        .split(';')
        .map((part) => part.trim());
      const weight = /^q=(0(?:\.\d*)?|1(?:\.0*)?)$/.exec(parameter)?.[1];
      const isSound = name !== '' && weight !== undefined && others.length === 0;
      return isSound ? [{ name, weight: Number(weight) }] : [];
    });
}

/** The weight of what is named twice, in whichever order: refused once is refused. */
export function jointWeight(known: number | undefined, weight: number): number {
  if (known === undefined) return weight;
  return known === 0 || weight === 0 ? 0 : Math.max(known, weight);
}
