import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

/** Starts a file of this directory in a process of its own. */
export function start(file: string, ...args: string[]): ChildProcess {
  return fork(join(__dirname, file), args, {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
}

/** Sends a message and waits for the next that comes back. */
export function ask<T>(child: ChildProcess, message: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`${child.spawnargs.at(-1)}: the process has ended.`));
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as T);
    });
    child.send(message);
  });
}
