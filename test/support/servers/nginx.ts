import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from './programs';
import { type NetworkServer, type Place, startServer } from './server-process';

/**
 * Starts an nginx whose `proxy_cache` stands before a site, with nginx's defaults of what it stores.
 * `X-Cache-Status` on each answer says whether it is nginx's own (`HIT`).
 *
 * @param originPort - Where the site listens.
 */
export async function startNginx(originPort: number): Promise<NetworkServer> {
  const { server, place } = await startServer('nginx', (place) => prepare(place, originPort));
  const { port } = place;
  return Object.assign(server, { url: `http://127.0.0.1:${port}`, host: '127.0.0.1', port });
}

function prepare({ port, folder }: Place, originPort: number) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => {
    mkdirSync(join(folder, name));
    return `${name}_temp_path ${join(folder, name)};`;
  });
  const path = join(folder, 'nginx.conf');
  writeFileSync(
    path,
    `daemon off;
master_process off;
pid ${join(folder, 'pid')};
error_log stderr notice;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  proxy_cache_path ${join(folder, 'cache')} keys_zone=pages:1m use_temp_path=off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${originPort};
      proxy_set_header Host $http_host;
      proxy_cache pages;
      add_header X-Cache-Status $upstream_cache_status always;
    }
  }
}
`,
  );
  return {
    program: programPath('nginx'),
    args: ['-p', folder, '-e', 'stderr', '-c', path],
    ready: { log: /start worker process|using the "/ },
  };
}
