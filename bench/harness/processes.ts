import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Cores, pinned } from './cores';

const TSX = pathToFileURL(require.resolve('tsx')).href;

/**
 * Starts a file of `bench/` in a process of its own.
 *
 * @param node - The program that runs it.
 * @param plan - What it finds in `process.argv[2]`, as JSON.
 */
export function startProcess(
  file: string,
  plan: object,
  { side, node = process.execPath }: { side: keyof Cores; node?: string },
): ChildProcess {
  const [execPath, execArgv] = pinned(side, node, ['--import', TSX]);
  return fork(join(__dirname, '..', file), [JSON.stringify(plan)], {
    execPath,
    execArgv,
    env: { ...process.env, NODE_ENV: 'production' },
  });
}

/** Sends a message and waits for the next that comes back. */
export function ask<T>(child: ChildProcess, message: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`${child.spawnargs.at(-1)}: the process has ended.`));
    if (child.exitCode !== null || child.signalCode !== null) {
      onExit();
      return;
    }
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as T);
    });
    child.send(message);
  });
}
