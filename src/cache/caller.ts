import { dirname, sep } from 'node:path';

/** The folder of this package's code, whose frames say nothing to its users. */
const OWN_CODE = dirname(__dirname) + sep;

/** Emits a process warning whose trace begins where this package was called. */
export function emitWarningAtCaller(warning: Error & { readonly code: string }): void {
  const [first = '', ...frames] = (warning.stack ?? '').split('\n');
  // The language's own frames, such as of Array.map(), stand between two of ours.
  const isOwn = (frame: string) => frame.includes(OWN_CODE) || frame.includes('(<anonymous>)');
  const caller = frames.findIndex((frame) => !isOwn(frame));
  if (caller !== -1) warning.stack = [first, ...frames.slice(caller)].join('\n');
  try {
    process.emitWarning(warning);
  } catch {
    // Within Jest, whose own kind of Error Node refuses.
    process.emitWarning(warning.message, { type: warning.name, code: warning.code });
  }
}
