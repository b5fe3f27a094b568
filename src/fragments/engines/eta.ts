import { relative } from 'node:path';
import { type ViewEngine, viewEngine } from '../view-engine';

export type { ViewEngine };

/** What is called of an Eta. */
export interface EtaLike {
  readonly config: { readonly views?: string };
  renderAsync(template: string, data: object): Promise<string>;
}

/**
 * Eta for Express, with templates that can `await`, and {@link cacheFragment} in them as `it.cache`.
 *
 * @param eta - Has the directory of the views as its `views`.
 * @throws TypeError if `eta` is something else, or has no `views`.
 * @see Django's `{% cache %}`
 * @example
 * app.engine('eta', etaEngine(new Eta({ views })));
 * // In a view: <%~ await it.cache(500, 'sidebar', [it.user.name], () => includeAsync('./sidebar')) %>
 */
export function etaEngine(eta: EtaLike): ViewEngine {
  if (typeof eta?.renderAsync !== 'function') {
    throw new TypeError('etaEngine() got no Eta. Pass one: etaEngine(new Eta({ views })).');
  }
  const { views } = eta.config;
  if (!views) {
    throw new TypeError('etaEngine() got an Eta without views. Say where: new Eta({ views }).');
  }
  return viewEngine((path, locals) => {
    // A name that began with `@` would be that of no file.
    return eta.renderAsync(`./${relative(views, path)}`, locals);
  });
}
