import type { Container } from './request-state';

/** Told what is read of `req.session`, `req.cookies`, `req.signedCookies` or `res.locals`. */
export interface ContainerWatcher {
  noteField(container: Container, key: string): void;
  noteAllFields(container: Container): void;
  /** Which fields there are was found out. */
  noteNames(container: Container): void;
  /** The code inside has set or removed a field: reading it tells nothing of the request. */
  noteWritten(container: Container, key: string | symbol): void;
  isWritten(container: Container, key: string | symbol): boolean;
  /** Calls `work`, during which nothing counts as read. */
  peek<T>(work: () => T): T;
}

/** Methods of express-session's sessions, which store the session and look at all of it. */
const SESSION_METHODS = new Set([
  'save',
  'reload',
  'destroy',
  'regenerate',
  'touch',
  'resetMaxAge',
]);

/** What `express-session` keeps on a session for itself. */
const HIDDEN_FIELDS = new Set(['req', '_ctx']);

/** An object whose fields tell `watcher` when they are read. Writes reach `target`. */
export function watchContainer(
  target: object,
  container: Container,
  watcher: ContainerWatcher,
): object {
  return new Proxy(target, new WatchingHandler(container, watcher));
}

class WatchingHandler implements ProxyHandler<object> {
  readonly #container: Container;
  readonly #watcher: ContainerWatcher;

  constructor(container: Container, watcher: ContainerWatcher) {
    this.#container = container;
    this.#watcher = watcher;
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    const isOwn = Object.hasOwn(target, key);
    if (isOwn || !(key in target)) this.#note(key);
    if (!isOwn && this.#container === 'session' && SESSION_METHODS.has(key as string)) {
      return this.#sessionMethod(target, key, receiver);
    }
    return Reflect.get(target, key, receiver);
  }

  has(target: object, key: string | symbol): boolean {
    this.#note(key);
    return Reflect.has(target, key);
  }

  getOwnPropertyDescriptor(target: object, key: string | symbol) {
    this.#note(key);
    return Reflect.getOwnPropertyDescriptor(target, key);
  }

  ownKeys(target: object) {
    this.#watcher.noteAllFields(this.#container);
    return Reflect.ownKeys(target);
  }

  set(target: object, key: string | symbol, value: unknown): boolean {
    this.#noteWrite(key);
    return Reflect.set(target, key, value);
  }

  defineProperty(target: object, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    this.#noteWrite(key);
    return Reflect.defineProperty(target, key, descriptor);
  }

  deleteProperty(target: object, key: string | symbol): boolean {
    this.#noteWrite(key);
    return Reflect.deleteProperty(target, key);
  }

  #note(key: string | symbol): void {
    if (typeof key !== 'string' || HIDDEN_FIELDS.has(key)) return;
    if (this.#watcher.isWritten(this.#container, key)) return;
    this.#watcher.noteField(this.#container, key);
  }

  /**
   * A write that changed nothing for this visitor may change the session of the next one, to whom the
   * page must not be shown unrendered: so what the field was before counts as read.
   */
  #noteWrite(key: string | symbol): void {
    if (this.#container === 'session') this.#note(key);
    this.#watcher.noteWritten(this.#container, key);
  }

  #sessionMethod(target: object, key: string | symbol, receiver: unknown): unknown {
    const method: unknown = Reflect.get(target, key);
    if (typeof method !== 'function') return method;
    const watcher = this.#watcher;
    return function sessionMethod(this: unknown, ...args: unknown[]): unknown {
      const self = this === receiver ? target : this;
      const result: unknown = watcher.peek(() => method.apply(self, args));
      return result === target ? receiver : result;
    };
  }
}
