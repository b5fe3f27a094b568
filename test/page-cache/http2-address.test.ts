import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { cacheApp } from 'cachewright';
import { closeLater, useRealApps } from '../real-apps/support';

useRealApps();

test("a page with the client's address is not stored on HTTP/2 either (A11)", async () => {
  let renders = 0;
  const app = (req: http2.Http2ServerRequest, res: http2.Http2ServerResponse) => {
    renders += 1;
    res.end(`You are at ${req.socket.remoteAddress}, port ${typeof req.socket.remotePort}`);
  };
  const server = http2.createServer(cacheApp(app, { seconds: 60 })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = http2.connect(`http://127.0.0.1:${port}`);
  closeLater(() => {
    client.destroy();
    server.close();
  });
  for (let visits = 1; visits <= 2; visits += 1) {
    const stream = client.request({ ':path': '/me' });
    const [headers] = await once(stream, 'response');
    let text = '';
    for await (const chunk of stream) text += chunk;
    expect(text).toBe('You are at 127.0.0.1, port number');
    expect(headers['cache-control']).toBeUndefined();
    expect(renders).toBe(visits);
  }
});
