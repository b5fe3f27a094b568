import { dirname } from 'node:path';

const OWN_FOLDER = dirname(__dirname);

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
  return SESSION_PACKAGES.test(fullCallerFile() ?? '');
}

function fullCallerFile(): string | undefined {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = 16;
    Error.prepareStackTrace = (_error, sites) => sites;
    const { stack } = new Error() as unknown as { stack: NodeJS.CallSite[] };
    for (const site of stack) {
      const file = site.getFileName()?.replace(/^file:\/\//, '');
      if (file == null || file.startsWith('node:') || file.startsWith(OWN_FOLDER)) continue;
      // Express's own getters, such as req.ip, read on behalf of their caller.
      if (/node_modules[\\/](?:express\d?|router|proxy-addr|forwarded)[\\/]/.test(file)) continue;
      return file;
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}
