/** What a {@link Queue} needs of its members: each is in one queue at a time. */
export interface Queued<T> {
  readonly size: number;
  older: T | undefined;
  newer: T | undefined;
}

/** First in, first out; who must leave from the middle may, at no cost. Knows its bytes. */
export class Queue<T extends Queued<T>> {
  #newest: T | undefined;
  #oldest: T | undefined;
  #bytes = 0;

  /** The one that has waited longest. */
  get oldest(): T | undefined {
    return this.#oldest;
  }

  /** The sizes of all members. */
  get bytes(): number {
    return this.#bytes;
  }

  add(member: T): void {
    member.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = member;
    else this.#newest.newer = member;
    this.#newest = member;
    this.#bytes += member.size;
  }

  /** Has a member of this queue wait anew, behind all others. */
  renew(member: T): void {
    const { older, newer } = member;
    if (newer === undefined) return;
    newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    const newest = this.#newest!;
    newest.newer = member;
    member.older = newest;
    member.newer = undefined;
    this.#newest = member;
  }

  /** Takes out a member of this queue. */
  remove(member: T): void {
    const { older, newer } = member;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // Else what has left, though garbage, keeps all that came after it from being collected early.
    member.newer = undefined;
    this.#bytes -= member.size;
  }
}
