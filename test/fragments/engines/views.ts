import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The text of views, by file name. */
export type Views = Readonly<Record<string, string>>;

export function writeViews(folder: string, views: Views): void {
  for (const [name, text] of Object.entries(views)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
