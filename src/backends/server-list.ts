/**
 * The servers that a location names: one string, several split by `,` or `;`, or an array of
 * strings.
 *
 * @throws TypeError if it names none.
 */
export function serverList(location: unknown, example: string): string[] {
  const parts = typeof location === 'string' ? location.split(/[,;]/) : location;
  const isList = Array.isArray(parts) && parts.every((part) => typeof part === 'string');
  const servers = isList ? parts.map((part) => part.trim()).filter((part) => part !== '') : [];
  if (servers.length > 0) return servers;
  throw new TypeError(
    `The location is ${JSON.stringify(location) ?? String(location)}. Give a server such as '${example}', several split by commas, or an array.`,
  );
}
