import { cacheFragment, caches, cacheTags, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import Database from 'libsql';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

interface Shelf {
  readonly id: number;
  readonly name: string;
}

interface Book {
  readonly id: number;
  readonly title: string;
}

let db: InstanceType<typeof Database>;
/** What was rendered since it was last looked at. */
let rendered: string[];

beforeEach(() => {
  db = new Database(':memory:');
  db.exec(`
    CREATE TABLE shelf (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE book (id INTEGER PRIMARY KEY, shelf INTEGER, title TEXT);
    INSERT INTO shelf VALUES (1, 'Sea'), (2, 'Sky');
    INSERT INTO book VALUES (1, 1, 'Tides'), (2, 1, 'Waves'), (3, 2, 'Clouds');
  `);
  rendered = [];
});

afterEach(() => db.close());

/** Library, shelves, books: each level a fragment, tagged by the rows that it reads itself. */
function library() {
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.get('/', async (_req, res) => {
    rendered.push('page');
    const html = await cacheFragment(600, 'library', [], async () => {
      rendered.push('library');
      const shelves = db.prepare('SELECT id, name FROM shelf ORDER BY id').all() as Shelf[];
      return (await Promise.all(shelves.map(showShelf))).join('; ');
    });
    res.send(html);
  });
  return app;
}

function showShelf({ id }: Shelf): Promise<string> {
  return cacheFragment(600, 'shelf', [id], async () => {
    rendered.push(`shelf ${id}`);
    cacheTags(`shelf:${id}`);
    const { name } = db.prepare('SELECT name FROM shelf WHERE id = ?').get(id) as Shelf;
    const books = db.prepare('SELECT id FROM book WHERE shelf = ? ORDER BY id').all(id) as Book[];
    return `${name}: ${(await Promise.all(books.map(showBook))).join(', ')}`;
  });
}

function showBook({ id }: Book): Promise<string> {
  const render = () => {
    rendered.push(`book ${id}`);
    return (db.prepare('SELECT title FROM book WHERE id = ?').get(id) as Book).title;
  };
  return cacheFragment(600, 'book', [id], render, { tags: [`book:${id}`] });
}

function renderedSince(): string[] {
  return rendered.splice(0).sort();
}

test('a row that changes has its own fragment rendered anew, and those around it', async () => {
  const app = library();
  await visit(app, '/').expect('Sea: Tides, Waves; Sky: Clouds');
  expect(renderedSince()).toEqual([
    'book 1',
    'book 2',
    'book 3',
    'library',
    'page',
    'shelf 1',
    'shelf 2',
  ]);
  await visit(app, '/').expect('Sea: Tides, Waves; Sky: Clouds');
  expect(renderedSince()).toEqual([]);

  db.exec(`UPDATE book SET title = 'Surf' WHERE id = 2`);
  await caches.default.invalidateTags(['book:2']);
  await visit(app, '/').expect('Sea: Tides, Surf; Sky: Clouds');
  expect(renderedSince()).toEqual(['book 2', 'library', 'page', 'shelf 1']);

  db.exec(`UPDATE shelf SET name = 'Air' WHERE id = 2`);
  await caches.default.invalidateTags(['shelf:2']);
  await visit(app, '/').expect('Sea: Tides, Surf; Air: Clouds');
  expect(renderedSince()).toEqual(['library', 'page', 'shelf 2']);

  // Once more, now that the inner ones were hits as those around them were made.
  db.exec(`UPDATE book SET title = 'Stars' WHERE id = 3`);
  await caches.default.invalidateTags(['book:3']);
  await visit(app, '/').expect('Sea: Tides, Surf; Air: Stars');
  expect(renderedSince()).toEqual(['book 3', 'library', 'page', 'shelf 2']);
  await visit(app, '/').expect('Sea: Tides, Surf; Air: Stars');
  expect(renderedSince()).toEqual([]);
});
