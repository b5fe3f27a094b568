import { addCacheTag } from 'cachewright/nunjucks';
import nunjucks from 'nunjucks';
import type { Views } from './views';

/** An environment that has the tag, and an asynchronous filter that calls functions. */
export function nunjucksEnvironment(
  views: string,
  options: nunjucks.ConfigureOptions = {},
): nunjucks.Environment {
  const loader = new nunjucks.FileSystemLoader(views, { noCache: true });
  const env = new nunjucks.Environment(loader, options);
  addCacheTag(env);
  env.addFilter(
    'called',
    (local: () => unknown, callback: (error: unknown, value?: unknown) => void) => {
      Promise.resolve()
        .then(local)
        .then((value) => callback(null, value), callback);
    },
    true,
  );
  return env;
}

/** What a view comes to. */
export function rendered(env: nunjucks.Environment, view: string, locals: object): Promise<string> {
  return new Promise((resolve, reject) => {
    env.render(view, locals, (error, html) => (error ? reject(error) : resolve(html!)));
  });
}

/** Finds templates in `views`, by name, and changes their text. */
export function memoryLoader(views: Views, change = (text: string) => text): nunjucks.ILoader {
  return {
    getSource(name) {
      const text = views[name];
      // Of what is not there Nunjucks wants nothing.
      if (text === undefined) return null as unknown as nunjucks.LoaderSource;
      return { src: change(text), path: name, noCache: true };
    },
  };
}
