import { dirname } from 'node:path';

const OWN_FOLDER = dirname(__dirname);

/** Packages by which session packages read cookies. */
const COOKIES = /node_modules[\\/](?:cookies?|keygrip)[\\/]/;

/** Session packages look at the sessions that they make. That is no read by the app. */
const SESSION_PACKAGES = /node_modules[\\/](?:express-session|cookie-session|client-sessions)[\\/]/;

/**
 * The file whose code called into the cache's watchers, as a package and a path inside it, or as a path
 * below the working directory; `undefined` if it cannot be told.
 */
export function callerFile(): string | undefined {
  const file = fullCallerFile();
  if (file === undefined) return undefined;
  const inPackage = /node_modules[\\/](?!.*node_modules[\\/])(.+)$/.exec(file)?.[1];
  if (inPackage !== undefined) return inPackage.replaceAll('\\', '/');
  const root = `${process.cwd()}/`;
  return file.startsWith(root) ? file.slice(root.length) : file;
}

/** Whether a session package itself is reading. */
export function isReadBySessionPackage(): boolean {
  const site = callSites().find((each) => isForeign(each) && !COOKIES.test(fileOf(each)!));
  return SESSION_PACKAGES.test(fileOf(site) ?? '');
}

/** Whether Express is reading the client's address to find out scheme and host, which are in the key. */
export function isReadForTarget(): boolean {
  const site = callSites().find(isForeign);
  const isExpress = /node_modules[\\/]express\d?[\\/]lib[\\/]request\.js$/.test(fileOf(site) ?? '');
  return isExpress && /\b(?:protocol|hostname|host)$/.test(site?.getFunctionName() ?? '');
}

/** Express's own getters, such as `req.ip`, read on behalf of their caller. */
const EXPRESS = /node_modules[\\/](?:express\d?|router|proxy-addr|forwarded)[\\/]/;

function fullCallerFile(): string | undefined {
  return fileOf(callSites().find((site) => isForeign(site) && !EXPRESS.test(fileOf(site)!)));
}

function fileOf(site: NodeJS.CallSite | undefined): string | undefined {
  return site?.getFileName()?.replace(/^file:\/\//, '');
}

function isForeign(site: NodeJS.CallSite): boolean {
  const file = fileOf(site);
  return file !== undefined && !file.startsWith('node:') && !file.startsWith(OWN_FOLDER);
}

function callSites(): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = 16;
    Error.prepareStackTrace = (_error, sites) => sites;
    return (new Error() as unknown as { stack: NodeJS.CallSite[] }).stack;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}
