import { fetchFromCache, updateCache } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { settled } from '../support/settled';
import { describeEachStack } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

describeEachStack((build) => {
  const site = (respond: Respond) => {
    const origin = makeOrigin(respond);
    return { app: build([updateCache({ seconds: 60 }), fetchFromCache(), origin.handle]), origin };
  };

  const EARLY: Record<string, (res: Parameters<Respond>[0]) => void> = {
    'is flushed': (res) => res.flushHeaders(),
    'leaves with a first byte': (res) => void res.write(''.padEnd(4)),
    'is written, and flushed': (res) => res.writeHead(200, { 'X-More': '1' }).flushHeaders(),
    'is written, and a first byte follows': (res) =>
      void res.writeHead(200, { 'X-More': '1' }).write(''.padEnd(4)),
  };

  test.each(Object.entries(EARLY))(
    'a head that %s before the end is not patched, and the page is stored (PAGE-09, PAGE-62)',
    async (_how, send) => {
      const { app, origin } = site((res, call) => {
        res.setHeader('X-Call', call);
        send(res);
        setImmediate(() => {
          res.write(`page ${call}`);
          setImmediate(() => res.end(', the end'));
        });
      });
      for (const _visit of [1, 2]) {
        const { headers, text } = await visit(app, '/page').expect('X-Call', '1');
        expect(text.trim()).toBe('page 1, the end');
        expect(headers).not.toHaveProperty('cache-control');
        expect(headers).not.toHaveProperty('expires');
      }
      expect(origin.calls).toBe(1);
    },
  );

  test('a head that is written waits for the end, and is patched (PAGE-09)', async () => {
    const { app, origin } = site((res, call) => {
      res.writeHead(200, { 'X-Call': call });
      expect(res.headersSent).toBe(true);
      setImmediate(() => res.end(`page ${call}`));
    });
    for (const _visit of [1, 2]) {
      await visit(app, '/page')
        .expect('page 1')
        .expect('X-Call', '1')
        .expect('Cache-Control', 'max-age=60')
        .expect('Expires', /GMT$/);
    }
    expect(origin.calls).toBe(1);
  });

  test('a head that was refused leaves the error page one of its own', async () => {
    const { app, origin } = site((res, call) => {
      try {
        res.writeHead(200, { 'X-Broken': 'a\nb' });
      } catch {
        res.statusCode = 500;
        res.end(`sorry ${call}`);
      }
    });
    for (const call of [1, 2]) {
      const { headers } = await visit(app, '/page').expect(500, `sorry ${call}`);
      expect(headers).not.toHaveProperty('cache-control');
    }
    expect(origin.calls).toBe(2);
  });

  test('a second head is refused as ever, and the first response is stored', async () => {
    const refused: string[] = [];
    const { app, origin } = site((res, call) => {
      res.writeHead(200, { 'X-Call': call });
      for (const change of [() => res.writeHead(500), () => res.setHeader('X-Late', 'yes')]) {
        try {
          change();
        } catch (error) {
          refused.push((error as NodeJS.ErrnoException).code!);
        }
      }
      res.end(`page ${call}`);
    });
    for (const _visit of [1, 2]) {
      const { headers } = await visit(app, '/page').expect(200, 'page 1').expect('X-Call', '1');
      expect(headers).not.toHaveProperty('x-late');
    }
    expect(refused).toEqual(['ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT']);
    expect(origin.calls).toBe(1);
  });

  test('early hints are not the head', async () => {
    const { app, origin } = site((res, call) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      setImmediate(() => {
        res.setHeader('X-Call', call);
        res.end(`page ${call}`);
      });
    });
    for (const _visit of [1, 2]) {
      const { headers } = await visit(app, '/page').expect(200, 'page 1').expect('X-Call', '1');
      expect(headers).not.toHaveProperty('link');
    }
    expect(origin.calls).toBe(1);
  });

  test('what is written after the end is not stored', async () => {
    const { app, origin } = site((res, call) => {
      res.on('error', () => {});
      res.end(`page ${call}`);
      res.end(' and more');
      res.write(' and more');
    });
    for (const _visit of [1, 2]) await visit(app, '/page').expect(200, 'page 1');
    expect(origin.calls).toBe(1);
  });

  test('a handler that fails after the first bytes stores nothing (PAGE-08)', async () => {
    const { app, origin } = site((res, call) => {
      res.write(`page ${call}`);
      if (call === 1) res.destroy(new Error('lost the database'));
      else res.end();
    });
    await expect(visit(app, '/page')).rejects.toThrow();
    await settled();
    await visit(app, '/page').expect(200, 'page 2');
    expect(origin.calls).toBe(2);
  });

  test('a body shorter than announced is not stored', async () => {
    const { app, origin } = site((res, call) => {
      res.setHeader('Content-Length', 20);
      res.write(`page ${call}`);
      if (call === 1) setImmediate(() => res.socket?.destroy());
      else res.end('.'.repeat(14));
    });
    await expect(visit(app, '/page')).rejects.toThrow();
    await settled();
    await visit(app, '/page').expect(200, `page 2${'.'.repeat(14)}`);
    expect(origin.calls).toBe(2);
  });
});
