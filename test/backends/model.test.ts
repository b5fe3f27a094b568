import { FileBasedCache, LocMemCache } from 'cachewright';
import { stopClock } from '../support/clock';
import { tempDirectories } from '../support/temp-directory';
import { describeModel } from './model';

const clock = stopClock();
const makeDirectory = tempDirectories();
const CALLS = 100_000;

describeModel(
  'LocMemCache',
  (params) => new LocMemCache('model', params),
  clock,
  { expiresAtInstant: true, incrKeepsTimeout: true },
  CALLS,
);

describeModel(
  'FileBasedCache',
  (params) => new FileBasedCache(makeDirectory(), params),
  clock,
  { expiresAtInstant: false, incrKeepsTimeout: false },
  CALLS,
);
