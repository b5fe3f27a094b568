/** Where a server is, and who may use it. */
export interface MemcachedAddress {
  /** As keys are placed by it, and as messages call it: `host:port`, or the path of a socket. */
  readonly name: string;
  /** Host to connect to; `undefined` for a Unix socket. */
  readonly host: string | undefined;
  /** Port, or path of a Unix socket. */
  readonly port: number | string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const DEFAULT_PORT = 11211;

/**
 * Reads `host`, `host:port`, `[::1]`, `[::1]:port`, `user:password@host`, any of them after
 * `memcached://`, or the path of a Unix socket: `unix:/path`, `/path`.
 *
 * @throws TypeError if it is none of them; its message does not repeat a password.
 */
export function parseAddress(text: string): MemcachedAddress {
  const path = text.startsWith('unix:') ? text.slice('unix:'.length) : text;
  if (path.startsWith('/')) {
    // Also `unix:///path`.
    const socket = path.replace(/^\/+/, '/');
    if (socket !== '/') {
      return {
        name: socket,
        host: undefined,
        port: socket,
        username: undefined,
        password: undefined,
      };
    }
  }
  const url = parseUrl(text.includes('://') ? text : `memcached://${text}`);
  if (url === undefined) {
    throw new TypeError(
      `The location names ${JSON.stringify(withoutPassword(text))}, which is no server. Give 'host', 'host:11211', '[::1]:11211', 'user:password@host' or 'unix:/path'.`,
    );
  }
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  return {
    name: `${url.hostname}:${port}`,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
  };
}

function parseUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isServer =
    url.protocol === 'memcached:' &&
    url.hostname !== '' &&
    url.port !== '0' &&
    (url.pathname === '' || url.pathname === '/') &&
    url.search === '' &&
    url.hash === '' &&
    (url.username === '') === (url.password === '') &&
    isEncoded(url.username) &&
    isEncoded(url.password);
  return isServer ? url : undefined;
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function withoutPassword(text: string): string {
  return text.replace(/:[^:@/]*@/, ':***@');
}
