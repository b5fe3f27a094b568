import ejs from 'ejs';
import type { RequestHandler } from 'express';
import { CACHE_CONTROL, pageOf } from './page';

/** What a handler does that a cache stands before, on each of its runs. */
export const HANDLERS = {
  /** Makes a list of what a database might have given it. */
  list: (bytes) => {
    const rows = rowsFor(bytes);
    return (_req, res) => {
      res.set('Cache-Control', CACHE_CONTROL).json(rows.map(show));
    };
  },
  /** The same as a page of HTML, by a template that is compiled once. */
  view: (bytes) => {
    const each = renderView({ rows: [show(row(0))] }).length - renderView({ rows: [] }).length;
    const count = Math.round((bytes - renderView({ rows: [] }).length) / each);
    const rows = Array.from({ length: Math.max(1, count) }, (_, i) => row(i));
    return (_req, res) => {
      res.set('Cache-Control', CACHE_CONTROL).send(renderView({ rows: rows.map(show) }));
    };
  },
  /** Does nothing: the least that a cache could be compared with. */
  nothing: (bytes) => {
    const { body } = pageOf(bytes);
    return (_req, res) => {
      res.set({ 'Cache-Control': CACHE_CONTROL, 'Content-Type': 'application/json' }).end(body);
    };
  },
  /** Waits, and makes a page that expires soon. */
  slow: (bytes) => {
    const { value } = pageOf(bytes);
    return (_req, res) => {
      setTimeout(
        () => res.set('Cache-Control', `public, max-age=${SHORT_SECONDS}`).json(value),
        SLOW_MS,
      );
    };
  },
} satisfies Record<string, (bytes: number) => RequestHandler>;

export type HandlerName = keyof typeof HANDLERS;

/** How long the slow one waits. */
export const SLOW_MS = 200;

/** How long its page lives: longer than the machine may falter, or it is rightly made twice. */
export const SHORT_SECONDS = 3;

const renderView = ejs.compile(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Things</title><link rel="stylesheet" href="/site.css"></head>
<body>
<nav><% for (const name of ['New', 'Garden', 'Kitchen', 'Sale']) { %><a href="/<%= name %>"><%= name %></a><% } %></nav>
<table>
<% for (const { id, name, url, price, changedAt, tags } of rows) { -%>
<tr id="row-<%= id %>"><td><a href="<%= url %>"><%= name %></a></td><td class="price"><%= price %></td>
<td><time datetime="<%= changedAt %>"><%= changedAt %></time></td><td><%= tags %></td></tr>
<% } -%>
</table>
</body>
</html>
`);

interface Row {
  readonly id: number;
  readonly name: string;
  readonly cents: number;
  readonly changedAt: Date;
  readonly tags: readonly string[];
}

function rowsFor(bytes: number): Row[] {
  const each = JSON.stringify(show(row(0))).length + 1;
  return Array.from({ length: Math.max(1, Math.round(bytes / each)) }, (_, i) => row(i));
}

function row(i: number): Row {
  return {
    id: 100_000 + i,
    name: `Thing ${i}`,
    cents: 1999 + i,
    changedAt: new Date(1_700_000_000_000 + i * 60_000),
    tags: ['new', 'blue', 'garden'],
  };
}

function show({ id, name, cents, changedAt, tags }: Row) {
  return {
    id,
    name,
    url: `/thing/${id}`,
    price: (cents / 100).toFixed(2),
    changedAt: changedAt.toISOString(),
    tags: tags.join(', '),
  };
}
