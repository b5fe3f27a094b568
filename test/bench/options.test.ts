import { kindsOf } from '../../bench/harness/load';
import { findNode } from '../../bench/harness/node-program';
import { toBuild, toChosen, toCount, toCounts } from '../../bench/harness/options';

test('counts are whole numbers above 0', () => {
  expect(toCount('10', 'rounds')).toBe(10);
  expect(toCounts('2,40', 'sizes')).toEqual([2, 40]);
  for (const text of ['0', '-1', '1.5', 'ten', '']) {
    expect(() => toCount(text, 'rounds')).toThrow(
      new TypeError(`--rounds is ${JSON.stringify(text)}. Give a whole number above 0.`),
    );
  }
  expect(() => toCounts('2,,40', 'sizes')).toThrow('--sizes is ""');
});

test('servers run on the Node of the run, or on one whose path is given', () => {
  const own = { path: process.execPath, version: process.version };
  expect(findNode(undefined)).toEqual(own);
  expect(findNode(process.execPath)).toEqual(own);
  expect(() => findNode('/no/such/node')).toThrow(
    new TypeError('--node is "/no/such/node". Give a version, or the path of a Node.'),
  );
});

test('of the failures of a load, those are told that occurred', () => {
  expect(kindsOf({ connect: 0, status: 2, timeout: 1 })).toEqual(['status: 2', 'timeout: 1']);
  expect(kindsOf({ connect: 0 })).toEqual([]);
});

test('another build is a file that is there', () => {
  expect(toBuild('package.json', 'against')).toBe(`${process.cwd()}/package.json`);
  for (const text of ['no/such/index.js', 'bench']) {
    expect(() => toBuild(text, 'against')).toThrow(
      `--against is ${JSON.stringify(text)}. Give the path of the dist/index.js of another build.`,
    );
  }
});

test('of what is compared, a regular expression chooses some', () => {
  expect(toChosen('^B', ['a', 'b', 'bb'], 'only')).toEqual(['b', 'bb']);
  expect(toChosen('', ['a', 'b'], 'only')).toEqual(['a', 'b']);
  expect(() => toChosen('c', ['a', 'b'], 'only')).toThrow('--only is "c". There are: a, b.');
});
