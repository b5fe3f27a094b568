/** Which query parameters make another page. */
export interface QueryRules {
  /**
   * Names of parameters that make no other page, such as `['ref', 'ab_*']`; a `*` stands for any
   * characters. The cache takes them from the request, so that no handler sees them. `'tracking'`:
   * those that advertisers and newsletters add to links, such as `utm_source`, `gclid` and `fbclid`.
   *
   * @defaultValue none
   */
  readonly ignore?: readonly string[] | 'tracking';

  /** Names of the only parameters that count; all others are taken from the request. */
  readonly only?: readonly string[];

  /**
   * Whether parameters are put in the order of their names, for the key and for handlers. Those of
   * one name stay in theirs.
   *
   * @defaultValue false
   */
  readonly sort?: boolean;
}

/** Parameters that only scripts in the browser read, added to links by those who count visits. */
const TRACKING_PARAMETERS = [
  // Analytics
  ...['utm_*', 'mtm_*', 'pk_campaign', 'pk_kwd', '_ga', '_gl', '_openstat', 's_kwcid', 'ef_id'],
  // Google
  ...['gclid', 'gclsrc', 'dclid', 'gbraid', 'wbraid', 'gad_source', 'gad_campaignid', 'srsltid'],
  // Other search engines and social networks
  ...['fbclid', 'msclkid', 'yclid', 'ysclid', 'igshid', 'igsh', 'ttclid', 'twclid', 'li_fat_id'],
  ...['epik', 'rdt_cid', 'ScCid'],
  // Newsletters
  ...[
    'mc_cid',
    'mc_eid',
    '_hsenc',
    '_hsmi',
    '__hstc',
    '__hssc',
    '__hsfp',
    'hsCtaTracking',
    'hsa_*',
  ],
  ...['mkt_tok', 'vero_id', 'oly_anon_id', 'oly_enc_id', '_kx'],
];

/** Brings a request target to the form in which it is looked up, and shown to handlers. */
export type TargetRule = (target: string) => string;

/** The rule that these options come to; `undefined`: targets stay as they are. */
export function targetRule({
  ignore = [],
  only,
  sort = false,
}: QueryRules): TargetRule | undefined {
  if (ignore.length === 0 && only === undefined && !sort) return undefined;
  const isIgnored = matcher(ignore === 'tracking' ? TRACKING_PARAMETERS : ignore);
  const isAllowed = only === undefined ? () => true : matcher(only);
  return (target) => {
    const start = target.indexOf('?');
    if (start === -1) return target;
    const parameters = target
      .slice(start + 1)
      .split('&')
      .map((text) => ({ text, name: nameOf(text) }))
      .filter(({ name }) => isAllowed(name) && !isIgnored(name));
    if (sort) parameters.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const query = parameters.map(({ text }) => text).join('&');
    return query === '' ? target.slice(0, start) : `${target.slice(0, start)}?${query}`;
  };
}

/** The decoded name of a parameter: `utm%5Fsource` is `utm_source` to a handler, too. */
function nameOf(parameter: string): string {
  const [name = ''] = parameter.split('=', 1);
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const wanted = patterns.map((pattern) => pattern.split('*'));
  return (name) => wanted.some((parts) => matches(name, parts));
}

/** Whether `name` is made of these parts with anything between them; in linear time, unlike `.*`. */
function matches(name: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  const end = name.length - last.length;
  if (!name.startsWith(first) || !name.endsWith(last) || end < first.length) return false;
  let from = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, from);
    if (found === -1 || found + part.length > end) return false;
    from = found + part.length;
  }
  return true;
}
