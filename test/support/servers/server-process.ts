import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port';
import { sendSignal, signalTree, startOf } from './processes';
import { makeServerFolder, runFolder } from './run-directory';

/** A real server of one test file. */
export interface Server {
  /** Of its main process; another one after {@link Server.restart}. */
  readonly pid: number;
  /** Asks it to end, kills it if it does not, and removes its folder. */
  stop(): Promise<void>;
  /** Stops it in its tracks: connections stay open, and nothing is answered. */
  freeze(): void;
  /** Lets it go on. */
  thaw(): void;
  /** Ends it at once, as a crash does. Resolves when it is gone. */
  kill(): Promise<void>;
  /**
   * Ends it if it runs, and starts it on the same port. Redis and Memcached come back empty,
   * databases with what they held.
   */
  restart(): Promise<void>;
}

/** A server with an address. */
export interface NetworkServer extends Server {
  /** Its address with user and password, as its clients take it. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** How a server is started. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Who runs it, if not the user of the tests. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What it takes for a request to end soon, with clients or without. Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** How it shows that it takes connections: by what it writes, or by making a file. */
  readonly ready: { readonly log: RegExp } | { readonly file: string };
}

/** What the run directory knows of a server, for whoever has to end it after its test file. */
export interface PidRecord {
  readonly name: string;
  readonly pid: number;
  readonly start: string;
  readonly stopSignal: NodeJS.Signals;
  /** Whether it is there for all test files, and so outlives the one that started it. */
  readonly isShared: boolean;
}

const START_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 5000;

/** Where a server is to live. */
export interface Place {
  readonly port: number;
  /** Its own, empty, removed when it stops. */
  readonly folder: string;
}

/**
 * Starts a server on a free port, in a folder of its own, and waits until it takes connections.
 *
 * @param name - For messages.
 * @param prepare - Says how to start it there. Called again if the port was taken meanwhile.
 * @throws Error with what the server wrote, if it ends or does not get ready.
 */
export async function startServer<Prepared extends ServerCommand>(
  name: string,
  prepare: (place: Place) => Prepared | Promise<Prepared>,
  { isShared = false } = {},
): Promise<{ server: ServerProcess; place: Place; command: Prepared }> {
  for (let attempt = 1; ; attempt += 1) {
    const place = { port: await freePort(), folder: makeServerFolder(name) };
    const command = await prepare(place);
    const server = new ServerProcess(name, command, place.folder, isShared);
    try {
      await server.start();
      return { server, place, command };
    } catch (error) {
      const isPortTaken = /address already in use/i.test((error as Error).message);
      await server.stop();
      if (!isPortTaken || attempt === 5) throw error;
    }
  }
}

/** The process of a server that can be started again in its place. */
export class ServerProcess implements Server {
  readonly #name: string;
  readonly #command: ServerCommand;
  readonly #folder: string;
  readonly #isShared: boolean;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(name: string, command: ServerCommand, folder: string, isShared: boolean) {
    this.#name = name;
    this.#command = command;
    this.#folder = folder;
    this.#isShared = isShared;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`The server ${this.#name} has never been started.`);
    return pid;
  }

  async start(): Promise<void> {
    const { program, args, env, user, stopSignal = 'SIGTERM', ready } = this.#command;
    const logPath = join(this.#folder, 'server.log');
    if ('file' in ready) rmSync(ready.file, { force: true });
    const log = openSync(logPath, 'w');
    const child = spawn(program, args, {
      cwd: this.#folder,
      // Messages are read, so they have to be in English.
      env: { ...process.env, LC_ALL: 'C', ...env },
      stdio: ['ignore', log, log],
      ...user,
    });
    closeSync(log);
    this.#child = child;
    let failure: Error | undefined;
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        failure = error;
        resolve();
      });
      child.once('exit', () => resolve());
    });
    let hasExited = false;
    void this.#exited.then(() => {
      hasExited = true;
    });
    // A test that forgets its server must not hang: the global teardown ends it.
    child.unref();
    if (child.pid !== undefined) {
      const { pid } = child;
      const start = startOf(pid) ?? '';
      const record: PidRecord = {
        name: this.#name,
        pid,
        start,
        stopSignal,
        isShared: this.#isShared,
      };
      writeFileSync(join(runFolder('pids'), String(pid)), JSON.stringify(record));
    }

    const deadlineAt = Date.now() + START_DEADLINE_MS;
    for (;;) {
      const written = readFileSync(logPath, 'utf8');
      if (hasExited || Date.now() > deadlineAt) {
        const what = hasExited ? 'ended at once' : `was not ready in ${START_DEADLINE_MS} ms`;
        throw new Error(`The server ${this.#name} (${program}) ${what}. It wrote:\n${written}`, {
          cause: failure,
        });
      }
      if ('log' in ready ? ready.log.test(written) : existsSync(ready.file)) return;
      await delay(10);
    }
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  freeze(): void {
    signalTree(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    signalTree(this.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    if (!this.#isRunning) return;
    signalTree(this.pid, 'SIGKILL');
    await this.#exited;
    this.#forget();
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.start();
  }

  get #isRunning(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  async #end(): Promise<void> {
    if (this.#isRunning) {
      this.thaw();
      sendSignal(this.pid, this.#command.stopSignal ?? 'SIGTERM');
      const patience = new AbortController();
      await Promise.race([
        this.#exited,
        delay(STOP_DEADLINE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
      ]);
      patience.abort();
      await this.kill();
    }
    this.#forget();
  }

  #forget(): void {
    const pid = this.#child?.pid;
    if (pid !== undefined) rmSync(join(runFolder('pids'), String(pid)), { force: true });
  }
}
