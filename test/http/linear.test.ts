import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptableEncodings } from '../../src/http/acceptable-encodings';
import { parseCacheControl } from '../../src/http/cache-control';
import { parseEtags } from '../../src/http/entity-tags';
import type { HeaderValue } from '../../src/http/header-value';
import { preferredLanguage } from '../../src/http/preferred-language';

const HTTP = join(__dirname, '../../src/http');

/** The regular expressions of the room, as they are written. */
const patterns = readdirSync(HTTP).flatMap((file) => {
  const code = readFileSync(join(HTTP, file), 'utf8').replace(/^ *(?:\/?\*|\/\/).*$/gm, '');
  const literals = code.matchAll(
    /(?<=[=(,:?!&|] ?)\/(?![/*])((?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+)\//g,
  );
  return [...literals].map(([, source]) => [file, source!] as const);
});

/** Classes and escapes as one letter each, so that what is left is the structure. */
const structureOf = (source: string) =>
  source
    .replace(/\[(?:\\.|[^\]\\])*\]/g, 'c')
    .replace(/\\./g, 'e')
    .replaceAll('(?:', '(');

test('the search for regular expressions finds them', () => {
  expect(patterns.length).toBeGreaterThan(8);
  expect(patterns.map(([, source]) => source)).toContain('^(\\d*)-(\\d*)$');
});

test.each(patterns)('%s: /%s/ never tries one character in many ways', (_file, source) => {
  const structure = structureOf(source);
  // Nothing that repeats is repeated: a group with an asterisk has none in it, nor an option.
  expect(structure).not.toMatch(/\([^()]*[*+?}][^()]*\)[*+{]/);
  expect(structure).not.toMatch(/\([^()]*\([^()]*\)[^()]*\)[*+{]/);
  // Two repetitions have something between them, or the border could be anywhere.
  expect(structure).not.toMatch(/[*+}][a-z.][*+{]/i);
  // A repetition is tried from one place only: the beginning, or wherever a split begins anew.
  if (/[*+]/.test(structure)) expect(structure).toMatch(/^\^|^c\+$/);
});

/** A string that counts how often one of its characters is looked at. */
function counted(text: string): { readonly value: HeaderValue; steps(): number } {
  let steps = 0;
  const line = new Proxy(Object(text) as object, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) steps += 1;
      const found = Reflect.get(target, key, text) as unknown;
      return typeof found === 'function' ? found.bind(text) : found;
    },
  });
  return { value: [line as unknown as string], steps: () => steps };
}

const UNITS: Record<string, [begin: string, unit: string]> = {
  'unbalanced quotes': ['a="', 'b,"'],
  'quotes that open in vain': ['', '="'],
  'escaped quotes that open in vain': ['', '="\\"'],
  backslashes: ['a="', '\\'],
  spaces: ['a=', ' '],
  'equals signs': ['', '='],
  commas: ['', ','],
  'opening quotes after commas': ['', ',a="'],
};

test.each(Object.entries(UNITS))('directives of %s take steps in proportion', (_what, parts) => {
  const [begin, unit] = parts;
  const stepsFor = (bytes: number) => {
    const { value, steps } = counted(begin + unit.repeat(bytes / unit.length));
    parseCacheControl(value);
    return steps();
  };
  const [half, whole] = [stepsFor(32 * 1024), stepsFor(64 * 1024)];
  expect(half).toBeGreaterThan(1000);
  expect(whole).toBeLessThan(2.1 * half);
  // Each character is looked at three times at most: to split, to find a quote that is not there.
  expect(whole).toBeLessThan(3 * 64 * 1024);
});

test('entity tags are each cut out once, however many there are', () => {
  const slice = jest.spyOn(String.prototype, 'slice');
  try {
    const cutFor = (count: number) => {
      slice.mockClear();
      parseEtags('"a", '.repeat(count));
      const calls = slice.mock.calls as [number, number][];
      return calls.reduce((sum, [start, end]) => sum + (end - start), 0);
    };
    const [half, whole] = [cutFor(1000), cutFor(2000)];
    expect(half).toBeGreaterThan(1000);
    expect(whole).toBeLessThan(2.1 * half);
  } finally {
    slice.mockRestore();
  }
});

test.each([
  ['members', 'en-gb;q=0.5,'],
  ['parts of a language', 'en-'],
  ['parameters', ';q=0'],
  ['commas', ','],
])('preferences of many %s are each cut and compared once', (_what, unit) => {
  const methods = ['split', 'trim', 'startsWith'] as const;
  const spies = methods.map((name) => jest.spyOn(String.prototype, name));
  try {
    const stepsFor = (bytes: number) => {
      for (const spy of spies) spy.mockClear();
      const value = unit.repeat(bytes / unit.length);
      preferredLanguage(value, ['en', 'pt-BR']);
      acceptableEncodings(value, ['br', 'gzip']);
      const calls = spies.flatMap((spy) =>
        spy.mock.calls.map((args, i) => `${spy.mock.contexts[i]}`.length + `${args[0]}`.length),
      );
      return calls.reduce((sum, length) => sum + length, 0);
    };
    const [half, whole] = [stepsFor(32 * 1024), stepsFor(64 * 1024)];
    expect(half).toBeGreaterThan(32 * 1024);
    expect(whole).toBeLessThan(2.1 * half);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
});
