import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHILD_PATIENCE_MS } from '../../support/child';

test('npm run demo -- --once prints a table in which every second visit is a hit', async () => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'examples/atlas/demo.ts', '--once'],
    { cwd: join(__dirname, '../../..'), timeout: CHILD_PATIENCE_MS },
  );
  expect(stderr).toBe('');
  const [head, ...rows] = stdout.trimEnd().split('\n');
  expect(head).toMatch(/^page +miss ms +hit ms +ratio +bytes$/);
  expect(rows).toHaveLength(8);
  for (const row of rows) expect(row).toMatch(/^\/\S* +[\d.]+ +[\d.]+ +\d+x +\d+$/);
  expect(new Set([head, ...rows].map((line) => line!.length)).size).toBe(1);
});
