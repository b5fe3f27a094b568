/**
 * Run as a process of its own: a page that shows a count, and a POST that adds one and redirects to
 * it. `argv`: a {@link ChangesPlan} as JSON. Sends its port once it listens; ends when its parent
 * does, or disconnects.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Loose } from './support';

export interface ChangesPlan {
  /** Path of the package's `index`. */
  readonly build: string;
  readonly settings: object;
  readonly mount: 'pair' | 'app';
  /** The data, which all processes share. */
  readonly file: string;
}

function main(): void {
  const { build, settings, mount, file } = JSON.parse(process.argv[2]!) as ChangesPlan;
  const { cacheApp, configureCaches, fetchFromCache, updateCache } = require(build) as Loose;
  configureCaches(settings);
  const app = express();
  const options = { seconds: 60, cacheStatus: true };
  if (mount === 'pair') app.use(updateCache(options), fetchFromCache(options));
  const count = () => Number(readFileSync(file, 'utf8'));
  app.get('/list', (_req, res) => {
    res.send(`posts ${count()}`);
  });
  app.post('/list', (_req, res) => {
    writeFileSync(file, String(count() + 1));
    res.redirect(303, '/list');
  });
  const server = http.createServer(mount === 'app' ? cacheApp(app, options) : app);
  server.listen(0, '127.0.0.1', () => {
    process.send!((server.address() as AddressInfo).port);
  });
  process.once('disconnect', () => process.exit());
}

main();
