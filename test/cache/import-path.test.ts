import { importByPath } from '../../src/cache/import-path';

test('a path names the default export of a module, or the module', () => {
  expect(importByPath('./test/fixtures/reversed-key')).toEqual(expect.any(Function));
  expect(importByPath('node:path')).toBe(require('node:path'));
});

test('a path may name one export', () => {
  expect(importByPath('node:path#join')).toBe(require('node:path').join);
  expect(importByPath('./test/fixtures/logged-cache#LoggedCache')).toHaveProperty(
    'name',
    'LoggedCache',
  );
});

test('a module that is not there is an error that names it', () => {
  expect(() => importByPath('./no/such/module')).toThrow('./no/such/module');
});

test('an export that is not there is an error that names both', () => {
  expect(() => importByPath('node:path#nothing')).toThrow(/node:path.*nothing/);
});
