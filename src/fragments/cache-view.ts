import { cacheFragment, type FragmentOptions } from './cache-fragment';

/** What is used of an Express response. */
export interface ViewResponse {
  readonly app: {
    render(
      view: string,
      options: object,
      callback: (error: Error | null, html: string) => void,
    ): void;
  };
  readonly locals: object;
}

/** Options of {@link cacheView}. */
export interface CacheViewOptions extends FragmentOptions {
  /** The fragment's name. @defaultValue the view's */
  readonly name?: string;
}

/**
 * A view of an Express app as a fragment: from the cache, or rendered and stored. For engines that
 * render synchronously, such as Pug and Handlebars, and so cannot wait for a cache: the page gets
 * the fragment as one of its locals, and shows it unescaped.
 *
 * @param res - Whose app has the view. `app.locals` and `res.locals` are seen in it, as in pages;
 *   what depends on them must be in `varyOn`.
 * @param timeout - Seconds, as in {@link cacheFragment}.
 * @param view - As for `res.render`.
 * @param varyOn - What makes another fragment of the view.
 * @param locals - The view's locals, or what makes them: called only if the view is to be rendered.
 * @throws What {@link cacheFragment} throws, the engine, and `locals`.
 * @see Django's `{% cache %}`
 * @example
 * app.get('/', async (req, res) => {
 *   const sidebar = await cacheView(res, 500, 'sidebar', [req.user.name], async () => ({
 *     orders: await loadOrders(req.user),
 *   }));
 *   res.render('home', { sidebar }); // Pug: `!= sidebar`, Handlebars: `{{{sidebar}}}`
 * });
 */
export function cacheView(
  res: ViewResponse,
  timeout: number | string | null,
  view: string,
  varyOn?: Iterable<unknown>,
  locals: object | (() => object | Promise<object>) = {},
  { name = view, ...options }: CacheViewOptions = {},
): Promise<string> {
  const render = async () =>
    renderView(res, view, typeof locals === 'function' ? await locals() : locals);
  return cacheFragment(timeout, name, varyOn, render, options);
}

function renderView(res: ViewResponse, view: string, locals: object): Promise<string> {
  return new Promise((resolve, reject) => {
    // As `res.render` hands them on.
    res.app.render(view, { ...locals, _locals: res.locals }, (error, html) => {
      if (error) reject(error);
      else resolve(html);
    });
  });
}
