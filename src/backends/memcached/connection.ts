import type { Socket } from 'node:net';
import { Deadline } from '../../cache/deadline';
import type { MemcachedAddress } from './address';
import { exchange, type Memjs, type OwnMemjsServer } from './memjs';
import { type Reply, type Request, replyLength } from './protocol';

/** How connections are made. */
export interface ConnectionOptions {
  readonly connectTimeoutMs: number;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
}

/**
 * memjs's own timeouts, in seconds, are as good as off. That of answers counts from the last packet
 * sent, so that a server that takes all and answers nothing never gets there, and it leaves the
 * socket open; that of connecting goes off in a process that is too busy to see that it did.
 */
const MEMJS_TIMEOUT = 3600;

/** In the place of a command's number. */
const NO_COMMAND = -1;

/** So much later than a command's own deadline, of which its caller is told first. */
const GRACE_MS = 250;

/** The server has not answered for longer than anybody waits. */
export class SilenceError extends Error {}

/** A command that was not sent, as nobody waits for it any more. */
class LateError extends SilenceError {}

/**
 * One connection over memjs, used until its first fault: memjs does not tell those who wait that
 * the server has hung up, and reads on in the middle of an answer after it has connected anew.
 */
export class Connection {
  readonly #server: OwnMemjsServer;
  readonly #socket: Socket | undefined;
  readonly #onEnd: (connection: Connection) => void;
  /** When each command that is under way was sent, oldest first. */
  readonly #sentAt = new Map<Request, number>();
  readonly #connecting: Deadline;
  /** Ends when it is looked whether the oldest command has waited for too long. */
  #silence: Deadline | undefined;
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #isReady = false;
  #isCorked = false;
  #hasEnded = false;

  /**
   * @param patienceMs - How long anybody waits for an answer. One that takes longer costs the
   *   connection, so that nobody waits behind it.
   * @param onEnd - Told once, when the connection is of no more use.
   */
  constructor(
    memjs: Memjs,
    address: MemcachedAddress,
    { connectTimeoutMs, noDelay, keepAlive }: ConnectionOptions,
    readonly patienceMs: () => number,
    onEnd: (connection: Connection) => void,
  ) {
    const { host, port, username, password } = address;
    this.#onEnd = onEnd;
    const server = new memjs.Server(host, port, undefined, undefined, {
      timeout: MEMJS_TIMEOUT,
      conntimeout: MEMJS_TIMEOUT,
      keepAlive,
    });
    // Or it would take those of the environment.
    server.username = username;
    server.password = password;
    this.#server = server;
    this.#readWholeAnswers();
    this.#connecting = new Deadline(connectTimeoutMs, () => {
      this.end(new SilenceError(`It timed out connecting after ${connectTimeoutMs} ms.`));
    });
    // memjs tells of faults by command, and there may be none yet. It has strings for some.
    server.onError(NO_COMMAND, (error: unknown) => {
      this.end(typeof error === 'string' ? new Error(error) : (error as Error));
    });
    server.sock(false, () => this.#onReady());
    this.#socket = server._socket;
    this.#socket?.setNoDelay(noDelay);
    this.#socket?.on('error', (error) => this.end(error));
    this.#socket?.on('close', () => this.end(new Error('The server has hung up.')));
  }

  /** Commands under way. */
  get load(): number {
    return this.#sentAt.size;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether it is connected, and the user let in. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** @param deadline - What was not sent within it never is. */
  async send(request: Request, deadline: Deadline): Promise<Reply> {
    this.#checkOpen();
    this.#sentAt.set(request, performance.now());
    this.#silence ??= this.#checkIn(this.patienceMs() + GRACE_MS);
    try {
      if (!this.#isReady) await this.#ready(deadline);
      this.#checkOpen();
      this.#cork();
      return await exchange(this.#server, request);
    } catch (error) {
      if (error instanceof LateError) throw error;
      // Whatever memjs fails a command for has ended the connection.
      this.end(error as Error);
      throw error;
    } finally {
      this.#sentAt.delete(request);
    }
  }

  /** Over one that has ended, memjs would open another, which nobody closes. */
  #checkOpen(): void {
    if (this.#hasEnded) throw new Error('The connection was closed before the command was sent.');
  }

  /** Waits for the user to be let in. memjs would send what has long been given up by then. */
  async #ready(deadline: Deadline): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    if (deadline.isOver) throw new LateError('It was connected to too late.');
  }

  #onReady(): void {
    this.#isReady = true;
    this.#connecting.end();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** Closes the connection, which fails all that is under way. */
  end(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#connecting.end();
    this.#silence?.end();
    this.#onEnd(this);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#server.error(error);
    // memjs only ends, and forgets, one that it gives up.
    this.#socket?.destroy();
  }

  #checkIn(ms: number): Deadline {
    return new Deadline(ms, () => this.#check());
  }

  /** Ends the connection if the oldest command has waited for too long. */
  #check(): void {
    const [oldestAt] = this.#sentAt.values();
    this.#silence = undefined;
    if (oldestAt === undefined) return;
    const limitMs = this.patienceMs() + GRACE_MS;
    const left = oldestAt + limitMs - performance.now();
    if (left > 0) this.#silence = this.#checkIn(left);
    else this.end(new SilenceError(`The server has not answered for ${limitMs} ms.`));
  }

  /** Sends what is asked for in one tick in one go. */
  #cork(): void {
    if (this.#isCorked || this.#socket === undefined) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket?.uncork();
    });
  }

  /** Hands memjs whole answers: with each packet more it would copy all it has of one. */
  #readWholeAnswers(): void {
    const server = this.#server;
    const read = server.responseHandler;
    let packets: Buffer[] = [];
    let length = 0;
    let wanted = 0;
    server.responseHandler = (packet) => {
      packets.push(packet);
      length += packet.length;
      if (length < wanted) return;
      const bytes = packets.length === 1 ? packet : Buffer.concat(packets, length);
      let end = 0;
      try {
        wanted = replyLength(bytes, end);
        while (end + wanted <= length) {
          end += wanted;
          wanted = replyLength(bytes, end);
        }
      } catch (error) {
        this.end(error as Error);
        return;
      }
      packets = [bytes.subarray(end)];
      length -= end;
      if (end > 0) read.call(server, bytes.subarray(0, end));
    };
  }
}
