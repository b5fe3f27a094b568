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
  send(request: Request): Promise<Reply>;
  extendPatience(ms: number): void;
  end(): void;
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
      ping: () => this.ask({ opcode: OPCODES.noop, key: '' }),
      isAnswer: (error) =>
        error instanceof MemcachedStatusError || error instanceof CacheValueError,
    });
  }

  /**
   * The answer to a command.
   *
   * @param expected - Answers that are not errors.
   * @throws {@link MemcachedStatusError} If it is another one; {@link CacheUnavailableError} if
   *   there is none.
   */
  async ask(request: Request, ...expected: readonly number[]): Promise<Reply> {
    let reply: Reply;
    try {
      if (this.#isClosed) throw new Error('close() was called.');
      reply = await this.#line.send(request);
    } catch (error) {
      const reason = error instanceof SilenceError ? 'timeout' : 'refused';
      throw new CacheUnavailableError(`${this.name}: ${(error as Error).message}`, reason, {
        cause: error,
      });
    }
    if (reply.status === STATUS.ok || expected.includes(reply.status)) return reply;
    throw new MemcachedStatusError(this.name, reply.status);
  }

  /** Does `work`, which {@link MemcachedNode.close} waits for. */
  track<T>(work: () => Promise<T>, deadlineMs: number): Promise<T> {
    this.#line.extendPatience(deadlineMs);
    const done = work();
    this.#underWay.add(done);
    const forget = () => this.#underWay.delete(done);
    done.then(forget, forget);
    return done;
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
