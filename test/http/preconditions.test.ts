import {
  evaluatePreconditions,
  type PreconditionOutcome,
  readPreconditions,
  type Validators,
} from '../../src/http/preconditions';

const PAST = 'Tue, 03 Jan 2006 00:00:00 GMT';
const NOW = 'Sun, 12 Mar 2006 16:00:00 GMT';
const LATER = 'Mon, 13 Mar 2006 16:00:00 GMT';
const INVALID = 'Mon, 32 Oct 2006 16:00:00 GMT';
const lastModifiedAt = Date.parse(NOW);

const PAGE: Validators = { etag: '"spam"', lastModifiedAt };
const WEAK: Validators = { etag: 'W/"spam"' };
const UNTAGGED: Validators = { lastModifiedAt };
const UNDATED: Validators = { etag: '"spam"' };
const NOTHING: Validators = {};

type Case = [
  headers: Record<string, string>,
  resource: Validators,
  read: PreconditionOutcome,
  write: PreconditionOutcome,
];

function outcomes(headers: Record<string, string>, resource: Validators) {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const preconditions = readPreconditions(Object.fromEntries(lower));
  const on = (method: string) =>
    preconditions === undefined
      ? 'proceed'
      : evaluatePreconditions(method, preconditions, resource);
  expect(on('HEAD')).toBe(on('GET'));
  expect(on('DELETE')).toBe(on('PUT'));
  return { read: on('GET'), write: on('PUT') };
}

describe.each<[fact: string, cases: Case[]]>([
  [
    'If-None-Match compares weakly, lists and `*` included (COND-05, COND-06, COND-07)',
    [
      [{ 'If-None-Match': '"spam"' }, PAGE, 'not-modified', 'precondition-failed'],
      [{ 'If-None-Match': 'W/"spam"' }, PAGE, 'not-modified', 'precondition-failed'],
      [{ 'If-None-Match': '"spam"' }, WEAK, 'not-modified', 'precondition-failed'],
      [{ 'If-None-Match': 'W/"spam"' }, WEAK, 'not-modified', 'precondition-failed'],
      [{ 'If-None-Match': '"a", W/"spam"' }, PAGE, 'not-modified', 'precondition-failed'],
      [{ 'If-None-Match': '*' }, PAGE, 'not-modified', 'precondition-failed'],
      [{ 'If-None-Match': '*' }, UNTAGGED, 'proceed', 'proceed'],
      [{ 'If-None-Match': '"spam"' }, UNTAGGED, 'proceed', 'proceed'],
      [{ 'If-None-Match': '"eggs"' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-None-Match': '"eggs", "ham"' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-None-Match': 'spam' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-None-Match': '"""' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-None-Match': '' }, PAGE, 'proceed', 'proceed'],
    ],
  ],
  [
    'If-Modified-Since counts for GET and HEAD only (COND-08)',
    [
      [{ 'If-Modified-Since': NOW }, PAGE, 'not-modified', 'proceed'],
      [{ 'If-Modified-Since': LATER }, UNTAGGED, 'not-modified', 'proceed'],
      [{ 'If-Modified-Since': PAST }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Modified-Since': INVALID }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Modified-Since': LATER }, UNDATED, 'proceed', 'proceed'],
      [
        { 'If-Modified-Since': NOW },
        { lastModifiedAt: lastModifiedAt + 999 },
        'not-modified',
        'proceed',
      ],
      [
        { 'If-Modified-Since': NOW },
        { lastModifiedAt: lastModifiedAt + 1000 },
        'proceed',
        'proceed',
      ],
    ],
  ],
  [
    'If-None-Match makes If-Modified-Since count for nothing (COND-09)',
    [
      [
        { 'If-None-Match': '"spam"', 'If-Modified-Since': PAST },
        PAGE,
        'not-modified',
        'precondition-failed',
      ],
      [{ 'If-None-Match': '"eggs"', 'If-Modified-Since': NOW }, PAGE, 'proceed', 'proceed'],
      [{ 'If-None-Match': 'junk', 'If-Modified-Since': NOW }, PAGE, 'proceed', 'proceed'],
    ],
  ],
  [
    'If-Match compares strongly, on reads too (COND-10)',
    [
      [{ 'If-Match': '"spam"' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Match': '"a", "spam"' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Match': '"eggs"' }, PAGE, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Match': 'W/"spam"' }, PAGE, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Match': '"spam"' }, WEAK, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Match': 'W/"spam"' }, WEAK, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Match': 'spam' }, PAGE, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Match': '*' }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Match': '*' }, WEAK, 'proceed', 'proceed'],
      [{ 'If-Match': '*' }, UNTAGGED, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Match': '"spam"' }, NOTHING, 'precondition-failed', 'precondition-failed'],
    ],
  ],
  [
    'If-Unmodified-Since fails once the resource changed, or if that is not known (COND-11)',
    [
      [{ 'If-Unmodified-Since': NOW }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Unmodified-Since': LATER }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Unmodified-Since': INVALID }, PAGE, 'proceed', 'proceed'],
      [{ 'If-Unmodified-Since': PAST }, PAGE, 'precondition-failed', 'precondition-failed'],
      [{ 'If-Unmodified-Since': NOW }, UNDATED, 'precondition-failed', 'precondition-failed'],
      [
        { 'If-Unmodified-Since': NOW },
        { lastModifiedAt: lastModifiedAt + 999 },
        'proceed',
        'proceed',
      ],
    ],
  ],
  [
    'If-Match makes If-Unmodified-Since count for nothing (COND-12)',
    [
      [{ 'If-Match': '"spam"', 'If-Unmodified-Since': PAST }, PAGE, 'proceed', 'proceed'],
      [
        { 'If-Match': '"eggs"', 'If-Unmodified-Since': NOW },
        PAGE,
        'precondition-failed',
        'precondition-failed',
      ],
    ],
  ],
  [
    'what guards against changes is evaluated first (COND-13)',
    [
      [
        { 'If-Match': '"eggs"', 'If-None-Match': '"spam"' },
        PAGE,
        'precondition-failed',
        'precondition-failed',
      ],
      [
        { 'If-Match': '"spam"', 'If-None-Match': '"spam"' },
        PAGE,
        'not-modified',
        'precondition-failed',
      ],
      [
        { 'If-Unmodified-Since': PAST, 'If-None-Match': '"spam"' },
        PAGE,
        'precondition-failed',
        'precondition-failed',
      ],
      [{ 'If-Unmodified-Since': NOW, 'If-Modified-Since': NOW }, PAGE, 'not-modified', 'proceed'],
      [{ 'If-Match': '"spam"', 'If-Modified-Since': NOW }, PAGE, 'not-modified', 'proceed'],
      [{ 'If-Range': '"spam"' }, PAGE, 'proceed', 'proceed'],
    ],
  ],
])('%s', (_fact, cases) => {
  test.each(cases)('%j on %j: %s on a read, %s on a write', (headers, resource, read, write) => {
    expect(outcomes(headers, resource)).toEqual({ read, write });
  });
});

test('requests without preconditions have none', () => {
  expect(readPreconditions({ accept: '*/*', 'if-match': '' })).toBeUndefined();
  expect(readPreconditions({ 'if-modified-since': NOW })).toBeDefined();
});
