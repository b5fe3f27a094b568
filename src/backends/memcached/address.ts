import { withoutLogin } from '../server-list';

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
  const isSocket = text.startsWith('unix:') || text.startsWith('/');
  if (isSocket) {
    // Also `unix:///path`.
    const path = text.replace(/^unix:/, '').replace(/^\/+/, '/');
    if (!path.startsWith('/') || path === '/') throw refusal(text);
    return { name: path, host: undefined, port: path, username: undefined, password: undefined };
  }
  const url = parseUrl(text.includes('://') ? text : `memcached://${text}`);
  if (url === undefined) throw refusal(text);
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

function refusal(text: string): TypeError {
  const shown = JSON.stringify(withoutLogin(text));
  return new TypeError(
    `The location names ${shown}, which is no server. Give 'host', 'host:11211', '[::1]:11211', 'user:password@host' or 'unix:/path'.`,
  );
}
