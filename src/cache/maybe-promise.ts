/** A value now or later. */
export type MaybePromise<T> = T | Promise<T>;

/** `then`, but at once for a value that is there already. */
export function after<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
