import { type ViewEngine, viewEngine } from '../view-engine';

export type { ViewEngine };

/** What is called of EJS. */
export interface EjsLike<Options extends object> {
  renderFile(path: string, data: object, options?: Options): Promise<string>;
}

/** Express's settings, as it hands them to engines. */
interface ExpressLocals {
  readonly settings?: {
    readonly 'view cache'?: boolean;
    readonly views?: string | readonly string[];
  };
}

/**
 * EJS for Express, with templates that can `await`, and {@link cacheFragment} in them as `cache`.
 * Includes are awaited, too: `<%- await include('nav') %>`.
 *
 * @param ejs - The package.
 * @param options - EJS's own, such as `delimiter` and `root`. Compiled templates are kept as
 *   Express's setting `view cache` says, and includes found in its `views`, unless they say otherwise.
 * @throws TypeError if `ejs` is something else.
 * @see Django's `{% cache %}`
 * @example
 * app.engine('ejs', ejsEngine(ejs));
 * // In a view: <%- await cache(500, 'sidebar', [user.name], () => include('sidebar')) %>
 */
export function ejsEngine<Options extends object>(
  ejs: EjsLike<Options>,
  options?: NoInfer<Options>,
): ViewEngine {
  if (typeof ejs?.renderFile !== 'function') {
    throw new TypeError('ejsEngine() got no EJS. Pass the package: ejsEngine(ejs).');
  }
  return viewEngine((path, locals) => {
    const { settings = {} } = locals as ExpressLocals;
    return ejs.renderFile(path, locals, {
      cache: settings['view cache'] === true,
      views: [settings.views ?? []].flat(),
      ...(options as Options),
      async: true,
    });
  });
}
