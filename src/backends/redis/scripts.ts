import { createHash } from 'node:crypto';
import type { Deadline } from '../../cache/deadline';
import type { RedisArgument, RedisClient } from './client';

/** Lua that a server runs at one go. */
interface Script {
  readonly lua: string;
  readonly sha: string;
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/**
 * Adds to a number and leaves its expiry; `nil` if there is none. The sum comes as text, for Lua's
 * own numbers are not exact. What a Number cannot hold exactly is refused, for nobody could read it.
 */
export const INCREMENT = script(`
local value = redis.call('get', KEYS[1])
if not value then return false end
redis.call('incrby', KEYS[1], ARGV[1])
local sum = redis.call('get', KEYS[1])
if math.abs(tonumber(sum)) > 9007199254740991 then
  redis.call('set', KEYS[1], value, 'keepttl')
  return redis.error_reply('ERR increment or decrement would overflow')
end
return sum
`);

/** Removes a key if this is its value. */
export const COMPARE_AND_DELETE = script(`
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('del', KEYS[1])
`);

/** Gives a key another value, and new milliseconds to live, if this is its value. */
export const COMPARE_AND_SET = script(`
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3])
return 1
`);

/** What is under a key; where there is nothing, a value that lives for so many seconds is left. */
export const GET_OR_PUT = script(`
local found = redis.call('get', KEYS[1])
if not found then redis.call('set', KEYS[1], ARGV[1], 'ex', ARGV[2]) end
return found
`);

/** {@link GET_OR_PUT}, of what is found no more than so many bytes. */
export const START_OR_PUT = script(`
local start = redis.call('getrange', KEYS[1], 0, ARGV[3] - 1)
if start ~= '' then return start end
redis.call('set', KEYS[1], ARGV[1], 'ex', ARGV[2])
return false
`);

/** Removes a value that begins so. */
export const DELETE_IF = script(`
if redis.call('getrange', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('del', KEYS[1])
`);

/** Replaces a value that begins so by another with these seconds to live; none: without expiry. */
export const REPLACE_IF = script(`
if redis.call('getrange', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[2], unpack(ARGV, 3))
return 1
`);

/**
 * Runs a script on one key; its text goes over the wire only if the server does not have it.
 *
 * @param deadline - After which nothing more is sent.
 */
export function run(
  client: RedisClient,
  deadline: Deadline,
  script: Script,
  finalKey: string,
  ...args: RedisArgument[]
): Promise<unknown> {
  return runBy((...call) => client.call(...call), deadline, script, finalKey, args);
}

/** {@link run}, for a script that returns bytes. */
export function runForBytes(
  client: RedisClient,
  deadline: Deadline,
  script: Script,
  finalKey: string,
  ...args: RedisArgument[]
): Promise<unknown> {
  return runBy((...call) => client.callBuffer(...call), deadline, script, finalKey, args);
}

async function runBy(
  call: (command: string, ...args: RedisArgument[]) => Promise<unknown>,
  deadline: Deadline,
  { lua, sha }: Script,
  finalKey: string,
  args: readonly RedisArgument[],
): Promise<unknown> {
  try {
    return await call('evalsha', sha, 1, finalKey, ...args);
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT') || deadline.isOver) throw error;
    return call('eval', lua, 1, finalKey, ...args);
  }
}
