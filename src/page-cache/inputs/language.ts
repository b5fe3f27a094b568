/** Methods that the package `i18n` puts on requests, responses and `res.locals`. */
const I18N_METHODS = new Set([
  ...['__', '__n', '__l', '__h', '__mf', 't', 'tn', '__e'],
  ...['getLocale', 'setLocale', 'getCatalog', 'getLocales', 'addLocale', 'removeLocale'],
]);

/** A request or `res.locals` on which i18next or i18n has left what it found out. */
interface Translated {
  readonly i18n?: { readonly language?: unknown; readonly t?: unknown };
  readonly language?: unknown;
  readonly languages?: unknown;
  readonly locale?: unknown;
}

/**
 * The language that a function, or an instance, of i18next or i18n has resolved: all that its result
 * depends on. `undefined` if the value is none of theirs.
 *
 * @param holders - The object that has the value, and others that may know its language.
 */
export function languageOf(
  key: string,
  value: unknown,
  holders: readonly (object | undefined)[],
): string | undefined {
  if (typeof value === 'object' && value !== null) return languageOfInstance(value);
  if (typeof value !== 'function') return undefined;
  const { lng } = value as { lng?: unknown };
  if (lng !== undefined) return `lng:${String(lng)}`;
  for (const holder of holders as readonly (Translated | undefined)[]) {
    if (holder === undefined) continue;
    if (key === 't' || key === 'exists') {
      const own = languageOfInstance(holder.i18n);
      if (own !== undefined) return `${own} ${String(holder.languages ?? '')}`;
    }
    const isOurs = I18N_METHODS.has(key) && typeof holder.locale === 'string';
    if (isOurs) return `locale:${holder.locale}`;
  }
  return undefined;
}

function languageOfInstance(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { language, t, services } = value as Record<string, unknown>;
  const isInstance = typeof language === 'string' && typeof t === 'function';
  return isInstance && typeof services === 'object' ? `lng:${language}` : undefined;
}
