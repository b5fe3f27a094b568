import { cacheView } from 'cachewright';
import type { Express, Response } from 'express';
import { appRender } from './app-render';
import { type CorpusEngine, type CorpusPage, LOCALS } from './corpus';
import type { FragmentCall } from './helper-facts';

/** A page that shows views as fragments. */
export interface ViewsPage extends CorpusPage {
  /** Each has the name of its view, and is a local of the page by it. */
  readonly fragments: readonly string[];
}

/** A page of this text. */
export function pageOf(
  extension: string,
  text: string,
  views: object,
  fragments: readonly string[],
): ViewsPage {
  return { views: { [`page.${extension}`]: text, ...views }, locals: LOCALS, fragments };
}

/** How pages of an engine that renders synchronously show fragments. */
export function cachedViews(appOf: (views: string) => Express): CorpusEngine<ViewsPage> {
  const show = async (app: Express, page: ViewsPage, render: (view: string) => Promise<string>) => {
    const shown = page.fragments.map(async (view) => [view, await render(view)]);
    return appRender(app, 'page', { ...LOCALS, ...Object.fromEntries(await Promise.all(shown)) });
  };
  return {
    withoutCache: (views, page) => {
      const app = appOf(views);
      return show(app, page, (view) => appRender(app, view, LOCALS));
    },
    withCache: (views, page, rendered) => {
      const app = appOf(views);
      const res = { app, locals: {} };
      return show(app, page, (view) =>
        cacheView(res, 60, view, [], () => {
          rendered();
          return LOCALS;
        }),
      );
    },
  };
}

/** Answers with a page that shows the view `fragment` as one. */
export async function showCachedView(
  res: Response,
  page: string,
  { timeout, name, varyOn, text, options }: FragmentCall,
): Promise<void> {
  const locals = async () => ({ text: await text() });
  const fragment = await cacheView(res, timeout, 'fragment', varyOn, locals, { name, ...options });
  res.render(page, { fragment });
}
