import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CacheLockedError } from '../../errors';

/** How a lock behaves. */
export interface RedisLockOptions {
  /** Seconds after which it ends if it is neither released nor extended. @defaultValue 30 */
  readonly seconds?: number;
  /** Milliseconds to wait for another holder. `0`: one attempt. @defaultValue 10 000 */
  readonly waitMs?: number;
}

/** What a lock asks of the server; each is one command, or one script. */
interface LockServer {
  readonly acquire: (token: string, ms: number) => Promise<boolean>;
  readonly extend: (token: string, ms: number) => Promise<boolean>;
}

/** Bounds of the pause between two attempts, in milliseconds. */
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 100;

/** A lock on a server. Only who has its token can extend or release it. */
export class RedisLock {
  readonly #key: string;
  readonly #ms: number;
  readonly #waitMs: number;
  readonly #server: LockServer;
  #token: string | undefined;

  /** @internal */
  constructor(
    key: string,
    { seconds = 30, waitMs = 10_000 }: RedisLockOptions,
    server: LockServer,
  ) {
    checkSeconds(key, seconds);
    if (!(Number.isFinite(waitMs) && waitMs >= 0)) {
      throw new TypeError(
        `lock(${JSON.stringify(key)}) is to wait ${waitMs} ms. Give 0 to try once, or more.`,
      );
    }
    this.#key = key;
    this.#ms = seconds * 1000;
    this.#waitMs = waitMs;
    this.#server = server;
  }

  /** Tells this holder from all others, while it is held; a new one for each time. */
  get token(): string | undefined {
    return this.#token;
  }

  /**
   * Takes the lock, and waits for it if another has it.
   *
   * @returns `false` if it was not free within `waitMs`
   * @throws {@link CacheUnavailableError} If the server does not answer.
   */
  async acquire(): Promise<boolean> {
    if (this.#token !== undefined) {
      throw new Error(`The lock ${JSON.stringify(this.#key)} is held already. Make another.`);
    }
    const token = randomUUID();
    const lateAt = performance.now() + this.#waitMs;
    for (;;) {
      if (await this.#server.acquire(token, this.#ms)) {
        this.#token = token;
        return true;
      }
      const leftMs = lateAt - performance.now();
      if (leftMs <= 0) return false;
      // By chance, or all who wait would ask at once.
      const pauseMs = MIN_PAUSE_MS + Math.random() * (MAX_PAUSE_MS - MIN_PAUSE_MS);
      await delay(Math.min(pauseMs, leftMs));
    }
  }

  /**
   * Makes it last from now on.
   *
   * @param seconds - @defaultValue as it was made
   * @returns `false` if it has ended, and others may have it
   * @throws TypeError if `seconds` is not above 0: {@link RedisLock.release} ends it.
   */
  async extend(seconds = this.#ms / 1000): Promise<boolean> {
    checkSeconds(this.#key, seconds);
    return this.#token !== undefined && this.#server.extend(this.#token, seconds * 1000);
  }

  /** Lets others have it. @returns `false` if it had ended before */
  async release(): Promise<boolean> {
    const token = this.#token;
    this.#token = undefined;
    return token !== undefined && this.#server.extend(token, 0);
  }

  /**
   * What `work` comes to, done while holding the lock.
   *
   * @throws {@link CacheLockedError} If it was not free within `waitMs`.
   */
  async using<T>(work: (lock: RedisLock) => T | Promise<T>): Promise<T> {
    if (!(await this.acquire())) throw new CacheLockedError(this.#key, this.#waitMs);
    let result: T;
    try {
      result = await work(this);
    } catch (error) {
      // The reason why it failed is worth more than that the lock has to end by itself now.
      await this.release().catch(() => {});
      throw error;
    }
    await this.release();
    return result;
  }
}

function checkSeconds(key: string, seconds: number): void {
  if (Number.isFinite(seconds) && seconds > 0) return;
  throw new TypeError(`lock(${JSON.stringify(key)}) got ${seconds} seconds. Give more than 0.`);
}
