import { formatMarkdown, formatText } from '../../bench/harness/table';

const TABLE = {
  title: 'Hits',
  head: ['', 'ratio'],
  rows: [
    ['`res.end`', '1.00 '],
    ['a', '12.34'],
  ],
  notes: ['By the way.'],
};

test('in a terminal, names are to the left and figures to the right', () => {
  expect(formatText(TABLE).split('\n')).toEqual([
    'Hits',
    '',
    '         ratio',
    'res.end  1.00 ',
    'a        12.34',
    '  By the way.',
  ]);
});

test('in a document, it is a table of Markdown', () => {
  expect(formatMarkdown(TABLE).split('\n')).toEqual([
    '### Hits',
    '',
    '|  | ratio |',
    '| --- | --: |',
    '| `res.end` | 1.00 |',
    '| a | 12.34 |',
    '',
    '- By the way.',
  ]);
});
