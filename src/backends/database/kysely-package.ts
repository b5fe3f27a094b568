import type * as KyselyPackage from 'kysely';
import { optionalPackage } from '../optional-package';

/** Kysely, which a site installs that keeps its cache in a database. @throws Error if it is missing */
export function loadKysely(): typeof KyselyPackage {
  return optionalPackage(
    'kysely',
    'The database backend',
    () => require('kysely') as typeof KyselyPackage,
  );
}
