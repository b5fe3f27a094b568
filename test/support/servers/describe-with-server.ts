import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerKind, whyUnavailable } from './programs';
import { runFolder } from './run-directory';

/**
 * A `describe()` whose tests need a server. Where its program is missing the suite is skipped by
 * name, and the end of the run says why; with `CI=true` it fails instead.
 */
export function describeWithServer(kind: ServerKind, name: string, body: () => void): void {
  const reason = whyUnavailable(kind);
  if (reason === undefined) {
    describe(name, body);
  } else if (process.env.CI === 'true') {
    describe(name, () => {
      test('has its server', () => {
        throw new Error(`${reason}, and with CI=true no suite may be skipped.`);
      });
    });
  } else {
    const line = `${name}: ${reason}`;
    writeFileSync(join(runFolder('skipped'), encodeURIComponent(line).slice(0, 250)), line);
    describe.skip(name, body);
  }
}
