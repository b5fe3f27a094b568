import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  type FailureReason,
  handleWhen,
} from 'cockatiel';
import { type Deadline, withDeadline } from '../cache/deadline';
import { CacheUnavailableError } from '../errors';

/** Failures in a row after which a server is left alone. */
const FAILURES_TO_OPEN = 5;

/** Pause before a server that is left alone is asked again whether it is there. */
const PROBE_INTERVAL_MS = 500;

/** What a guard must know of its server. */
export interface GuardedServer {
  /** How messages call it, without passwords: `Redis at 10.0.0.7:6379`. */
  readonly name: string;
  /** Operations that may be under way at the same time. */
  readonly maxPending: number;
  /** Milliseconds within which it must answer a {@link GuardedServer.ping}. */
  readonly probeTimeoutMs: number;
  /** Asks whether it is there. */
  readonly ping: (deadline: Deadline) => Promise<unknown>;
  /** Whether an error is the server's answer, so that it is alive and only will not do this. */
  readonly isAnswer: (error: unknown) => boolean;
}

/**
 * Stands before a server, so that a site outlives it: each operation has a deadline, there is a
 * bound to how many are under way, and after a row of failures the server is left alone. It is
 * then asked now and then, by no visitor's request, whether it is there again.
 */
export class ServerGuard {
  readonly #server: GuardedServer;
  readonly #breaker;
  #pending = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(server: GuardedServer) {
    this.#server = server;
    this.#breaker = circuitBreaker(
      handleWhen((error) => !server.isAnswer(error)),
      { halfOpenAfter: 0, breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN) },
    );
    this.#breaker.onBreak(() => this.#probeLater());
  }

  /** Whether the server is left alone at present. */
  get isOpen(): boolean {
    return this.#breaker.state !== CircuitState.Closed;
  }

  /**
   * What `work` comes to.
   *
   * @throws {@link CacheUnavailableError} If the server is left alone, has too much to do, or does
   *   not answer within `deadlineMs`; else what `work` throws.
   */
  run<T>(work: (deadline: Deadline) => Promise<T>, deadlineMs: number): Promise<T> {
    const { name, maxPending } = this.#server;
    if (this.isOpen) {
      const cause = lastError(this.#breaker.lastFailure);
      return Promise.reject(
        new CacheUnavailableError(
          `${name} is left alone for now, as it has failed ${FAILURES_TO_OPEN} times in a row: ${cause.message}`,
          'open',
          { cause },
        ),
      );
    }
    if (this.#pending >= maxPending) {
      return Promise.reject(
        new CacheUnavailableError(
          `${name} has ${maxPending} operations under way already (options.maxPending).`,
          'overload',
        ),
      );
    }
    return this.#breaker.execute(() => this.#watch(work, deadlineMs));
  }

  /** Stops asking whether the server is there. A guard that was closed is of no more use. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #watch<T>(work: (deadline: Deadline) => Promise<T>, deadlineMs: number): Promise<T> {
    return withDeadline(
      (deadline) => this.#count(() => work(deadline)),
      deadlineMs,
      () =>
        new CacheUnavailableError(
          `${this.#server.name} took longer than ${deadlineMs} ms.`,
          'timeout',
        ),
    );
  }

  /** Until the server is done with it, late or not: that is for how long it takes memory. */
  async #count<T>(work: () => Promise<T>): Promise<T> {
    this.#pending += 1;
    try {
      return await work();
    } finally {
      this.#pending -= 1;
    }
  }

  #probeLater(): void {
    // What was under way may fail later, and would open connections that nobody closes.
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#probe(), PROBE_INTERVAL_MS);
    this.#timer.unref();
  }

  #probe(): void {
    const { ping, probeTimeoutMs } = this.#server;
    // A failed probe opens the breaker again, which sets the next one off.
    this.#breaker
      .execute(() => this.#watch(async (deadline) => ping(deadline), probeTimeoutMs))
      .catch(() => {});
  }
}

function lastError(failure: FailureReason<unknown> | undefined): Error {
  return failure !== undefined && 'error' in failure ? failure.error : new Error('no answer');
}
