import type { Deadline } from '../../cache/deadline';
import { CacheUnavailableError, CacheValueError } from '../../errors';
import { ServerGuard } from '../server-guard';
import { SilenceError } from './connection';
import { exchange, type MemjsServer } from './memjs';
import type { Pool } from './pool';
import { MemcachedStatusError, OPCODES, type Reply, type Request, STATUS } from './protocol';

/** Longest wait for the answer to the question whether a server is there. */
const PROBE_TIMEOUT_MS = 1000;

/** What commands go over: connections of this package's own, or one that was handed in. */
interface Line {
  /** @param deadline - After which it is not sent. */
  send(request: Request, deadline: Deadline): Promise<Reply>;
  extendPatience(ms: number): void;
  end(): void;
}

/** A server, as one operation sees it: until its deadline. */
export interface Asker {
  /**
   * The answer to a command.
   *
   * @param expected - Answers that are not errors.
   * @throws {@link MemcachedStatusError} If it is another one; {@link CacheUnavailableError} if
   *   there is none, or it is too late to ask.
   */
  ask(request: Request, ...expected: readonly number[]): Promise<Reply>;
}

/** One server of a cache, behind its guard. */
export class MemcachedNode {
  readonly name: string;
  readonly guard: ServerGuard;
  readonly #line: Line;
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(name: string, line: Pool | MemjsServer, maxPending: number) {
    this.name = `Memcached at ${name}`;
    this.#line = 'send' in line ? line : lineOf(line);
    this.guard = new ServerGuard({
      name: this.name,
      maxPending,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
      ping: (deadline) => this.#ask({ opcode: OPCODES.noop, key: '' }, [], deadline),
      isAnswer: (error) =>
        error instanceof MemcachedStatusError || error instanceof CacheValueError,
    });
  }

  /** What `work` comes to. @throws as its guard does */
  run<T>(work: (asker: Asker) => Promise<T>, deadlineMs: number): Promise<T> {
    return this.guard.run(this.within(work), deadlineMs);
  }

  /** `work` within a deadline. {@link MemcachedNode.close} waits for it. */
  within<T>(work: (asker: Asker) => Promise<T>): (deadline: Deadline) => Promise<T> {
    return (deadline) => {
      this.#line.extendPatience(deadline.ms);
      const done = work({ ask: (request, ...expected) => this.#ask(request, expected, deadline) });
      this.#underWay.add(done);
      const forget = () => this.#underWay.delete(done);
      done.then(forget, forget);
      return done;
    };
  }

  async #ask(request: Request, expected: readonly number[], deadline: Deadline): Promise<Reply> {
    let reply: Reply;
    try {
      if (this.#isClosed) throw new Error('close() was called.');
      // What is made of several commands must not go on when its caller was told that it failed.
      if (deadline.isOver) throw new SilenceError('It is too late to ask.');
      reply = await this.#line.send(request, deadline);
    } catch (error) {
      const reason = error instanceof SilenceError ? 'timeout' : 'refused';
      throw new CacheUnavailableError(`${this.name}: ${(error as Error).message}`, reason, {
        cause: error,
      });
    }
    if (reply.status === STATUS.ok || expected.includes(reply.status)) return reply;
    throw new MemcachedStatusError(this.name, reply.status);
  }

  /** Lets go of the connections once what is under way is done. */
  async close(): Promise<void> {
    this.guard.close();
    await Promise.allSettled(this.#underWay);
    this.#isClosed = true;
    this.#line.end();
  }
}

/** A connection that was handed in is left open: others may use it. */
function lineOf(server: MemjsServer): Line {
  return {
    send: (request) => exchange(server, request),
    extendPatience: () => {},
    end: () => {},
  };
}
