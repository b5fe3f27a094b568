/** The command could not do what it was asked for. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  /** Of the process. */
  readonly exitCode: number = 1;
}

/** The command was asked for something that makes no sense. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
  override readonly exitCode = 2;
}

/** What an error says, in a message of the command's own. */
export function reasonOf(error: unknown): string {
  // Several addresses of one host were refused: each tells why, and the whole says nothing.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
