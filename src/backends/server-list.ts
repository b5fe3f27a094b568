/**
 * The servers that a location names: one string, several split by `,` or `;`, or an array of
 * strings.
 *
 * @throws TypeError if it names none; its message repeats nothing that may hold a password.
 */
export function serverList(location: unknown, example: string): string[] {
  const parts = typeof location === 'string' ? location.split(/[,;]/) : location;
  const isList = Array.isArray(parts) && parts.every((part) => typeof part === 'string');
  const servers = isList ? parts.map((part) => part.trim()).filter((part) => part !== '') : [];
  if (servers.length > 0) return servers;
  throw new TypeError(
    `The location is ${kindOf(location)}, which names no server. Give one such as '${example}', several split by commas, or an array of strings.`,
  );
}

/** A server as messages may show it: without user and password, however they are written. */
export function withoutLogin(server: string): string {
  return server.replace(/^([a-z+]+:\/\/|unix:(?:\/\/)?)?.*@/is, '$1…@');
}

function kindOf(location: unknown): string {
  if (typeof location === 'string') return JSON.stringify(location);
  if (!Array.isArray(location)) return location === null ? 'null' : `of type ${typeof location}`;
  return `an array of ${location.map((part) => typeof part).join(', ') || 'nothing'}`;
}
