import { dirname, sep } from 'node:path';

/** The folder of this package's code, whose frames say nothing to its users. */
const OWN_CODE = dirname(__dirname) + sep;

/** Emits a process warning whose trace begins where this package was called. */
export function emitWarningAtCaller(warning: Error & { readonly code: string }): void {
  const [first = '', ...frames] = (warning.stack ?? '').split('\n');
  warning.stack = [first, ...frames.filter((frame) => !frame.includes(OWN_CODE))].join('\n');
  try {
    process.emitWarning(warning);
  } catch {
    // Within Jest, whose own kind of Error Node refuses.
    process.emitWarning(warning.message, { type: warning.name, code: warning.code });
  }
}
