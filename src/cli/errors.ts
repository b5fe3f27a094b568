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
