import type { Response } from '../../headers/middleware';

/** Told which entries of `res.locals` a template uses. */
export interface RenderWatcher {
  noteField(container: 'locals', key: string): void;
  noteAllFields(container: 'locals'): void;
  /** Whether the code inside has set this entry itself. */
  isWritten(container: 'locals', key: string): boolean;
  /** The entries of `res.locals` as they are now, in an object that nobody watches. */
  copyLocals(): object | undefined;
  /** Calls `work`, in which Express reads `res.locals` first, and gets `locals`. */
  lendLocals<T>(locals: object | undefined, work: () => T): T;
}

type Engine = (this: unknown, path: string, options: RenderOptions, callback: unknown) => unknown;

interface RenderOptions {
  readonly _locals?: object;
}

/** Express's app, as far as its `render` uses it. */
interface RenderingApp {
  readonly engines: Record<string, Engine>;
}

type Render = (this: Response, ...args: unknown[]) => unknown;

/** Renders under way, by the copy of `res.locals` that is merged into their options. */
const watchers = new WeakMap<object, RenderWatcher>();

/** Watchers whose template was handed to an engine. */
const watched = new WeakSet<RenderWatcher>();

/**
 * Watches which entries of `res.locals` the templates use. `res.render` merges all of them into the
 * options of the template engine, so the options are watched, and not the merge. Views that do not come to
 * one of Express's engines count as using all entries.
 */
export function watchRender(response: Response, watcher: RenderWatcher): void {
  const res = response as Response & { render?: Render };
  const { render } = res;
  if (typeof render !== 'function') return;
  res.render = function renderWatched(this: Response, ...args: unknown[]) {
    const locals = watcher.copyLocals();
    const req = (this as { req?: object }).req as { app?: RenderingApp } | undefined;
    const app = req?.app;
    if (locals === undefined || app?.engines === undefined || Object.hasOwn(req!, 'app')) {
      watcher.noteAllFields('locals');
      return watcher.lendLocals(locals, () => render.apply(this, args));
    }
    watchers.set(locals, watcher);
    watched.delete(watcher);
    // `res.render` takes the app from the request.
    Object.defineProperty(req, 'app', { configurable: true, value: watchingApp(app) });
    try {
      return watcher.lendLocals(locals, () => render.apply(this, args));
    } finally {
      delete req!.app;
      if (!watched.has(watcher)) watcher.noteAllFields('locals');
    }
  };
}

const watchingApps = new WeakMap<RenderingApp, RenderingApp>();

/** An app like this one whose engines are watched. It keeps views of its own, as views keep engines. */
function watchingApp(app: RenderingApp): RenderingApp {
  let watching = watchingApps.get(app);
  if (watching === undefined) {
    watching = Object.create(app, {
      engines: {
        value: new Proxy(app.engines, { get: (engines, ext) => watchingEngine(engines, ext) }),
      },
      cache: { value: Object.create(null) },
    }) as RenderingApp;
    watchingApps.set(app, watching);
  }
  return watching;
}

const watchingEngines = new WeakMap<Engine, Engine>();

function watchingEngine(engines: Record<string, Engine>, ext: string | symbol): Engine | undefined {
  const engine = engines[ext as string];
  if (typeof engine !== 'function') return engine;
  let watching = watchingEngines.get(engine);
  if (watching === undefined) {
    watching = function watchingEngine(this: unknown, path, options, callback) {
      const locals = options._locals;
      const watcher = locals && watchers.get(locals);
      if (watcher === undefined) return engine.call(this, path, options, callback);
      watched.add(watcher);
      const watchedOptions = new Proxy(options, new OptionsHandler(watcher, locals!));
      return engine.call(this, path, watchedOptions, callback);
    };
    watchingEngines.set(engine, watching);
  }
  return watching;
}

/** Names that template engines look for among the options of a template. */
const ENGINE_OPTIONS = new Set([
  ...['_locals', '_with', 'async', 'autoEscape', 'basedir', 'beautify', 'blocks', 'body', 'cache'],
  ...[
    'client',
    'closeDelimiter',
    'compileDebug',
    'context',
    'data',
    'debug',
    'delimiter',
    'doctype',
  ],
  ...['destructuredLocals', 'escape', 'escapeFn', 'filename', 'filters', 'globals', 'helpers'],
  ...[
    'include',
    'includer',
    'inlineRuntimeFunctions',
    'layout',
    'legacyInclude',
    'localsName',
    'locals',
  ],
  ...[
    'name',
    'openDelimiter',
    'outputFunctionName',
    'partials',
    'plugins',
    'pretty',
    'rethrow',
    'rmWhitespace',
  ],
  ...[
    'root',
    'runtimeOptions',
    'scope',
    'self',
    'settings',
    'strict',
    'strictVariables',
    'useWith',
  ],
  ...[
    'then',
    'toJSON',
    'views',
    'encoding',
    'extname',
    'layoutsDir',
    'partialsDir',
    'defaultLayout',
  ],
]);

class OptionsHandler implements ProxyHandler<object> {
  readonly #watcher: RenderWatcher;
  readonly #locals: Record<string, unknown>;

  constructor(watcher: RenderWatcher, locals: object) {
    this.#watcher = watcher;
    this.#locals = locals as Record<string, unknown>;
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    this.#note(target, key);
    return Reflect.get(target, key, receiver);
  }

  has(target: object, key: string | symbol): boolean {
    this.#note(target, key);
    return Reflect.has(target, key);
  }

  getOwnPropertyDescriptor(target: object, key: string | symbol) {
    this.#note(target, key);
    return Reflect.getOwnPropertyDescriptor(target, key);
  }

  ownKeys(target: object) {
    this.#watcher.noteAllFields('locals');
    return Reflect.ownKeys(target);
  }

  #note(target: object, key: string | symbol): void {
    if (typeof key !== 'string' || this.#watcher.isWritten('locals', key)) return;
    if (Object.hasOwn(target, key)) {
      const isFromLocals = Object.hasOwn(this.#locals, key);
      const { [key]: value } = target as Record<string, unknown>;
      if (isFromLocals && value === this.#locals[key]) this.#watcher.noteField('locals', key);
      return;
    }
    const isName = !ENGINE_OPTIONS.has(key) && !(key in globalThis) && !key.startsWith('__');
    if (isName && !(key in target)) this.#watcher.noteField('locals', key);
  }
}
