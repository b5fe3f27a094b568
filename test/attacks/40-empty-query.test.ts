// `/shop?` and `/shop` are one URL to the cache, and two to an app that redirects one to the other.

import { connect } from 'node:net';
import {
  closeLater,
  type Handler,
  openSite,
  row,
  type Site,
  useful,
  useRealApps,
} from '../real-apps/support';
import { lastLines } from '../support/raw-client';
import { settled } from '../support/settled';

useRealApps();

/** What comes back for a target as it is. */
function exchange({ port }: Site, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    closeLater(() => socket.destroy());
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
    socket.write(lastLines(`GET ${target} HTTP/1.1`, 'Host: www.example.com'));
  });
}

/** Ways in which apps find out that the query is empty. */
const REDIRECTS: Record<string, (req: Parameters<Handler>[0]) => boolean> = {
  'req.originalUrl': (req) => req.originalUrl.endsWith('?'),
  'req.url': (req) => req.url.endsWith('?'),
};

for (const [name, isEmpty] of Object.entries(REDIRECTS)) {
  row(`40 ${name}: the redirect of "/shop?" loops nobody`, {}, async (place) => {
    const site = await openSite({
      ...place,
      routes: {
        'GET /shop': (req, res) => {
          if (!isEmpty(req)) return 'the shop';
          res.set('Cache-Control', 'public, max-age=31536000').redirect(301, '/shop');
          return undefined;
        },
      },
    });
    for (const target of ['/shop?', '/shop?', '/shop', '/shop?']) {
      const answer = await exchange(site, target);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toMatch(/the shop$/);
      await settled();
    }
    useful(() => expect(site.renders['/shop']).toBe(1));
    // A query that is not empty is another page.
    expect(await exchange(site, '/shop?page=2')).toMatch(/the shop$/);
    expect(site.renders['/shop']).toBeGreaterThan(1);
  });
}
