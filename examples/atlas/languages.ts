import { ar } from './texts/ar';
import { de } from './texts/de';
import { en } from './texts/en';
import { es } from './texts/es';
import { fr } from './texts/fr';
import { ja } from './texts/ja';
import type { Texts } from './texts/texts';

/** A language the site speaks. */
export interface Language {
  /** As in `lang`, `Accept-Language` and `Intl`. */
  readonly tag: string;
  /** As in the data: ISO 639-3. */
  readonly dataCode: string;
  /** Its name for itself. */
  readonly name: string;
  readonly direction: 'ltr' | 'rtl';
  readonly texts: Texts;
}

/** The languages of the site; the first is for those who ask for none of them. */
export const languages: readonly Language[] = [
  { tag: 'en', dataCode: 'eng', name: 'English', direction: 'ltr', texts: en },
  { tag: 'de', dataCode: 'deu', name: 'Deutsch', direction: 'ltr', texts: de },
  { tag: 'fr', dataCode: 'fra', name: 'Français', direction: 'ltr', texts: fr },
  { tag: 'es', dataCode: 'spa', name: 'Español', direction: 'ltr', texts: es },
  { tag: 'ar', dataCode: 'ara', name: 'العربية', direction: 'rtl', texts: ar },
  { tag: 'ja', dataCode: 'jpn', name: '日本語', direction: 'ltr', texts: ja },
];

/** The language with this tag, if the site speaks it. */
export function findLanguage(tag: unknown): Language | undefined {
  return languages.find((language) => language.tag === tag);
}
