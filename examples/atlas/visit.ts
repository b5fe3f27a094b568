import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { findLanguage, type Language, languages } from './languages';

/** A part that a page was put together from. */
export interface Part {
  readonly name: string;
  /** Whether it was there already, made for another page. */
  readonly isHit: boolean;
}

/** What a page must know of the request it answers. */
export interface Visit {
  readonly language: Language;
  /** Path of the page, without the query. */
  readonly path: string;
  /** The query, without the language. */
  readonly query: Readonly<Record<string, string>>;
  /** Whether the address says which language, so that links should go on saying it. */
  readonly isLanguageChosen: boolean;
  /** Address of another page, in the language chosen, if one was. */
  readonly link: (path: string) => string;
  /** When the request arrived here, on the clock of `performance.now()`. */
  readonly startedAt: number;
  /** What the page was put together from so far. */
  readonly parts: Part[];
}

const visits = new WeakMap<IncomingMessage, Visit>();

/** The visit that {@link readVisit} found in a request. */
export function visitOf(req: IncomingMessage): Visit {
  return visits.get(req)!;
}

/**
 * Settles the language: `?lang=` if given, else the best that `Accept-Language` asks for. It runs
 * between the two halves of the page cache, so that pages are kept by the language they are
 * in and not by each of the thousand ways in which browsers ask for one.
 */
export function readVisit(req: Request, _res: Response, next: NextFunction): void {
  const startedAt = performance.now();
  const url = new URL(req.originalUrl, 'http://localhost');
  const chosen = findLanguage(url.searchParams.get('lang'));
  const asked = req.acceptsLanguages(languages.map(({ tag }) => tag));
  const language = chosen ?? findLanguage(asked) ?? languages[0]!;
  url.searchParams.delete('lang');
  visits.set(req, {
    language,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    isLanguageChosen: chosen !== undefined,
    link: (path) => (chosen === undefined ? path : withQuery(path, { lang: chosen.tag })),
    startedAt,
    parts: [],
  });
  next();
}

/** A path with these parameters added. */
export function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(query).toString();
  if (parameters === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${parameters}`;
}
