import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * What a path in the settings names: `module` (its default export, or the module itself) or
 * `module#name` (one export). Packages and files are looked up from the working directory.
 *
 * @throws what `require` throws; an `Error` if the module has no such export.
 */
export function importByPath(path: string): unknown {
  const [modulePath = '', name] = path.split('#', 2);
  const loaded: unknown = createRequire(join(process.cwd(), 'settings.js'))(modulePath);
  if (name === undefined) {
    const { default: main } = loaded as { default?: unknown };
    return main ?? loaded;
  }
  const found = (loaded as Record<string, unknown>)[name];
  if (found === undefined) throw new Error(`Module ${modulePath} has no export named ${name}.`);
  return found;
}
