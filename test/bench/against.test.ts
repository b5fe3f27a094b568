import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { againstTable, CASES, measureAgainst } from '../../bench/against';
import { cpuRatio } from '../../bench/harness/ratios';
import { tempDirectories } from '../support/temp-directory';
import { turnsOf } from './turns-of';

const makeDirectory = tempDirectories();

test('CPU time of a build is compared round by round, and is below 1 if it takes less', () => {
  // A request takes 1e6 / rate microseconds.
  expect(cpuRatio(turnsOf(400, 200, 100), turnsOf(200, 200, 300))).toBeCloseTo(1);
  expect(cpuRatio(turnsOf(400, 400), turnsOf(200, 200))).toBeCloseTo(0.5);
  const unknown = turnsOf(1).map((turn) => ({ ...turn, cpuUs: undefined }));
  expect(cpuRatio(unknown, turnsOf(1))).toBeUndefined();
});

test('the pair and cachePage are compared, without a user and with each kind of one', () => {
  expect(CASES.map(({ label, limit }) => [label, limit])).toEqual([
    ['`cachePage`, no request state', 1.05],
    ['`pair`, no request state', 1.1],
    ['`cachePage`, `res.locals.user` absent', 1.15],
    ['`pair`, `res.locals.user` absent', 1.15],
    ['`cachePage`, `res.locals.user` undefined', 1.15],
    ['`pair`, `res.locals.user` undefined', 1.15],
    ['`cachePage`, `res.locals.user` of 20 fields', 1.5],
    ['`pair`, `res.locals.user` of 20 fields', 1.5],
  ]);
});

test('the table has the CPU time of both builds, and the ratio beside its limit', () => {
  const result = { label: 'a hit', limit: 1.05, old: turnsOf(10_000), new: turnsOf(8000) };
  const unknown = turnsOf(1).map((turn) => ({ ...turn, cpuUs: undefined }));
  const { rows } = againstTable(2048, [result, { ...result, new: unknown }]);
  expect(rows).toEqual([
    ['a hit', '100.0', '125.0', '1.250', '≤ 1.05'],
    ['a hit', '100.0', '–', '–', '≤ 1.05'],
  ]);
});

test('a build that does not cache ends the run', async () => {
  const build = join(makeDirectory(), 'index.js');
  writeFileSync(build, 'exports.cachePage = () => (req, res, next) => next();');
  const load = {
    name: 'none',
    apply: () => Promise.reject(new Error('There is nothing to load.')),
    close: () => {},
  };
  const options = { bytes: 2048, rounds: 1, seconds: 1, node: process.execPath, load };
  const builds = { old: build, new: build };
  await expect(measureAgainst({ ...options, cases: [CASES[0]!], builds })).rejects.toThrow(
    '`cachePage`, no request state, old build: the handler ran 3 times, and should have 1 times.',
  );
});
