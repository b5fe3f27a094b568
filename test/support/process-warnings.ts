/** A process warning, in whichever form it was emitted. */
export interface ProcessWarning {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly stack: string;
}

/**
 * Takes the process warnings of each test of the file or block it is called in, so that they are
 * not printed. Jest's `process` never has the event itself.
 */
export function catchWarnings(): readonly ProcessWarning[] {
  const warnings: ProcessWarning[] = [];
  let spy: jest.SpyInstance;
  beforeEach(() => {
    warnings.length = 0;
    spy = jest.spyOn(process, 'emitWarning').mockImplementation(((
      warning: string | (Error & { code?: string }),
      options: { type?: string; code?: string } = {},
    ) => {
      if (typeof warning === 'string') {
        const { type: name = 'Warning', code } = options;
        warnings.push({ name, code, message: warning, stack: '' });
      } else {
        const { name, code, message, stack = '' } = warning;
        warnings.push({ name, code, message, stack });
      }
    }) as typeof process.emitWarning);
  });
  afterEach(() => spy.mockRestore());
  return warnings;
}
