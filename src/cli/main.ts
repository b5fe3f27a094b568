#!/usr/bin/env node
import { run } from './run';

void run({
  args: process.argv.slice(2),
  directory: process.cwd(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: process.stderr.isTTY ? (text) => process.stderr.write(text) : undefined,
}).then((exitCode) => {
  // A pool of the site's would keep the process alive. What was printed goes out before.
  process.stdout.write('', () => process.exit(exitCode));
});
