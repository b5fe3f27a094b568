import type { Container } from './request-state';

/** What the code inside does with the objects of request state that it was given. */
export class ContainerReads {
  /** The watched objects, by those that they stand for. */
  readonly #watched = new Map<object, object>();
  readonly #written = new Map<Container, Set<string | symbol>>();
  /** The object that was last given out and not read since. */
  #unread: Container | undefined;

  /** The watched object for `value`, made by `watch` at the first time. */
  giveOut(container: Container, value: object, watch: () => object): object {
    this.#unread = container;
    let watched = this.#watched.get(value);
    if (watched === undefined) {
      watched = watch();
      this.#watched.set(value, watched);
    }
    return watched;
  }

  noteRead(container: Container): void {
    if (this.#unread === container) this.#unread = undefined;
  }

  /** The object that was given out and not read since, which is forgotten. */
  takeUnread(): Container | undefined {
    const unread = this.#unread;
    this.#unread = undefined;
    return unread;
  }

  noteWritten(container: Container, key: string | symbol): void {
    this.noteRead(container);
    let keys = this.#written.get(container);
    if (keys === undefined) {
      keys = new Set();
      this.#written.set(container, keys);
    }
    keys.add(key);
  }

  isWritten(container: Container, key: string | symbol): boolean {
    return this.#written.get(container)?.has(key) === true;
  }
}
