import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, statOf } from '../../test/support/servers/processes';
import { findProgram } from '../../test/support/servers/programs';
import {
  type Place,
  type ServerCommand,
  startServer,
} from '../../test/support/servers/server-process';
import { pinned } from './cores';

/** Programs that cache before a site, and what they are called. */
export const PROXIES = { nginx: 'nginx', varnish: 'varnishd' } as const;

export type ProxyName = keyof typeof PROXIES;

/** One that runs. */
export interface Proxy {
  readonly port: number;
  readonly cpuUs: () => number | undefined;
  readonly stop: () => Promise<void>;
}

/** What a clock tick of `/proc/PID/stat` is on Linux, whatever the kernel counts in. */
const TICK_US = 10_000;

/**
 * Starts a proxy in a folder of its own.
 *
 * @param isPatient - Whether those who ask for a page that is being rendered wait for it, and are
 *   not given an older one.
 */
export async function startProxy(
  name: ProxyName,
  originPort: number,
  { isPatient }: { isPatient: boolean },
): Promise<Proxy> {
  const prepare = { nginx: prepareNginx, varnish: prepareVarnish }[name];
  const { server, place } = await startServer(name, (at) => prepare(at, originPort, isPatient));
  return { port: place.port, cpuUs: () => cpuOf(server.pid), stop: () => server.stop() };
}

/** One worker, which has the one processor. */
function prepareNginx({ folder, port }: Place, originPort: number, isPatient: boolean) {
  const folders = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'];
  const pid = join(folder, 'nginx.pid');
  const config = `
    daemon off;
    worker_processes 1;
    error_log stderr;
    pid ${pid};
    events { worker_connections 4096; }
    http {
      access_log off;
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000000;
      ${folders.map((each) => `${each}_temp_path ${each};`).join('\n')}
      proxy_cache_path cache keys_zone=pages:10m;
      server {
        listen 127.0.0.1:${port} backlog=1024;
        location / {
          proxy_pass http://127.0.0.1:${originPort};
          proxy_cache pages;
          proxy_cache_lock ${isPatient ? 'on' : 'off'};
        }
      }
    }`;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, config);
  return command('nginx', ['-p', folder, '-c', file], { file: pid });
}

function prepareVarnish({ folder, port }: Place, originPort: number, isPatient: boolean) {
  const addresses = ['-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${originPort}`];
  const grace = isPatient ? ['-p', 'default_grace=0'] : [];
  const args = ['-F', '-n', join(folder, 'varnish'), ...addresses, ...grace];
  return command('varnish', args, { log: /Child \(\d+\) said Child starts/ });
}

function command(name: ProxyName, args: string[], ready: ServerCommand['ready']): ServerCommand {
  const [program, allArgs] = pinned('server', findProgram(PROXIES[name])!, args);
  return { program, args: allArgs, ready };
}

/** Of a process and of those it started. */
function cpuOf(pid: number): number | undefined {
  const stat = statOf(pid);
  if (stat === undefined) return undefined;
  const own = (Number(stat[11]) + Number(stat[12])) * TICK_US;
  return childrenOf(pid).reduce((sum, child) => sum + (cpuOf(child) ?? 0), own);
}
