import type { IncomingHttpHeaders } from 'node:http';
import type { Request, Response } from '../../headers/middleware';
import type { PageSettings } from '../page-settings';
import { isKeyedByHost, trustsProxy } from '../request-origin';
import { ignoreAddressReads, noteAddressReads } from './address-reads';
import { ContainerReads } from './container-reads';
import { countsWhenRead } from './headers-that-count';
import {
  ALL_HEADERS,
  ALL_STATE,
  allOf,
  type InputValues,
  namesOf,
  STATE_NAMES,
} from './input-values';
import { isLogger } from './loggers';
import { RECORDER } from './peek';
import { callerFile, isReadBySessionPackage } from './reader';
import {
  type Container,
  holderOf,
  isContainer,
  isCounted,
  isReplacedMethod,
  isStateKey,
  keyName,
  stateInput,
} from './request-state';
import { type ContainerWatcher, watchContainer } from './watched-container';
import { activeWatchers, type HeaderWatcher, SEEN_HEADERS, watchHeaders } from './watched-headers';
import { copyOfLocals, watchLocals } from './watched-locals';
import { watchObject } from './watched-object';
import {
  accessorOf,
  hasWatchingPrototype,
  isMetOnResponses,
  meetOnResponse,
  type Own,
  type PropertyWatcher,
  watchPrototype,
} from './watched-properties';
import { watchRender } from './watched-render';

/** A read that keeps a page from being stored. */
export interface Refusal {
  /** What was read, such as `req.ip`. */
  readonly input: string;
  /** The file that has read it. */
  readonly reader: string | undefined;
}

export interface InputRecorderOptions {
  /** What the inputs were at the look-up. */
  readonly values: InputValues;
  readonly settings: PageSettings;
  /** Whether nothing can have left state on the request, as the cache is the first to see it. */
  readonly isOutermost: boolean;
  /**
   * Names of the headers that code before the look-up has read; `undefined` if nobody watched, or if it
   * has also read the client's address.
   */
  readonly sources: ReadonlySet<string> | undefined;
}

/** Properties of requests that tell visitors apart by more than a page can be kept for. */
const REFUSED = new Set(['ip', 'ips', 'rawHeaders', 'headersDistinct']);

/** Names under which a request has its socket. */
const SOCKETS = new Set(['socket', 'connection']);

/** Express's own readings of `Host` and forwarded headers, whose outcome is in the key. */
const OF_THE_TARGET = new Set(['host', 'hostname', 'protocol', 'secure', 'subdomains']);

/** Express's methods that get hold of all headers, and read one. */
const ACCEPTS = new Set(['accepts', 'acceptsCharsets', 'acceptsEncodings', 'acceptsLanguages']);

interface Recorded {
  [RECORDER]?: InputRecorder;
}

/** Records which inputs the code inside looks at, from the look-up until the response has ended. */
export class InputRecorder implements HeaderWatcher, ContainerWatcher, PropertyWatcher {
  readonly #inputs = new Set<string>();
  readonly #values: InputValues;
  readonly #settings: PageSettings;
  readonly #req: Request;
  readonly #res: Response;
  readonly #isOutermost: boolean;
  readonly #sources: ReadonlySet<string> | undefined;
  /** How the key was made. */
  readonly #origin: { readonly isHostKeyed: boolean; readonly isTrusting: boolean };
  /** That of a cache around this one, which records the same reads. */
  readonly #outer: InputRecorder | undefined;
  /** Own properties as they were, and those that the code inside has set. */
  readonly #own = { req: new Map<string | symbol, Own>(), res: new Map<string | symbol, Own>() };
  readonly #reads = new ContainerReads();
  readonly #unwatch: (() => void)[] = [];
  /** Properties of the request that cannot be redefined. */
  readonly #fixed: string[] = [];
  /** What Express is about to merge into the options of a template. */
  #lent: object | undefined;
  #silence = 0;
  /** Times that code got hold of the headers and read none of them. */
  #unread = 0;
  #isAsked = false;
  #refusal: Refusal | undefined;

  constructor(
    req: Request,
    res: Response,
    { values, settings, isOutermost, sources }: InputRecorderOptions,
  ) {
    this.#req = req;
    this.#res = res;
    this.#values = values;
    this.#settings = settings;
    this.#isOutermost = isOutermost;
    this.#sources = sources;
    this.#origin = { isHostKeyed: isKeyedByHost(req), isTrusting: trustsProxy(req) };
    this.#outer = (req as Recorded)[RECORDER];
  }

  /** The recorder of the innermost cache around this request. */
  static of(req: Request): InputRecorder | undefined {
    return (req as Recorded)[RECORDER];
  }

  /**
   * Begins to record.
   *
   * @param shown - The headers that the code inside sees.
   */
  start(shown: IncomingHttpHeaders): void {
    const req = this.#req as Request & Recorded & { [SEEN_HEADERS]?: IncomingHttpHeaders };
    const res = this.#res as Response & Recorded;
    this.#watchOwn('req', req);
    this.#watchOwn('res', res);
    req[RECORDER] = this;
    res[RECORDER] = this;
    req[SEEN_HEADERS] = watchHeaders(shown, this);
    Object.defineProperty(req, 'headers', accessorOf('req', 'headers', true));
    if (Object.hasOwn(req, 'rawHeaders')) this.#watchProperty('req', req, 'rawHeaders');
    this.#awaitExpress(res);
    watchPrototype('req', this.#req);
    if (!this.#isOutermost) watchPrototype('res', this.#res);
    if (!this.#isOutermost) watchRender(res, this);
    noteAddressReads(req, this);
    activeWatchers.add(this);
  }

  /** Ends recording. What is read from now on counts no more. */
  stop(): void {
    this.#silence += 1;
    activeWatchers.delete(this);
    for (const unwatch of this.#unwatch.splice(0)) unwatch();
    ignoreAddressReads(this.#req, this);
  }

  get isOver(): boolean {
    return !activeWatchers.has(this);
  }

  /** Names of all inputs that were read so far. */
  get inputs(): ReadonlySet<string> {
    return this.#inputs;
  }

  /** Why the page must not be stored, if something was read that no page can be kept for. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Calls `work`, during which nothing counts as read. */
  peek<T>(work: () => T): T {
    this.#silence += 1;
    try {
      return this.#outer === undefined ? work() : this.#outer.peek(work);
    } finally {
      this.#silence -= 1;
    }
  }

  /** Calls `work`, in which code outside this cache runs, which may be inside another. */
  outside<T>(work: () => T): T {
    this.#silence += 1;
    try {
      return work();
    } finally {
      this.#silence -= 1;
    }
  }

  get #isSilent(): boolean {
    return this.#silence > 0;
  }

  noteHeader(name: string): void {
    this.#outer?.noteHeader(name);
    this.#isAsked = false;
    if (this.#isSilent) return;
    this.#heal();
    const { varyOnRead, headers } = this.#settings;
    if (varyOnRead === undefined || varyOnRead.has(name)) return;
    if (name === 'cookie' && this.#fixed.length > 0 && isReadBySessionPackage()) {
      // The getter of a session that could not be watched: the session was read.
      for (const key of this.#fixed) this.#noteState('req', key);
      return;
    }
    const isCounting = name === 'host' ? !this.#origin.isHostKeyed : countsWhenRead(name);
    if (!isCounting || (headers !== undefined && !headers.has(name))) return;
    this.#inputs.add(name);
  }

  noteAllHeaders(): void {
    this.#outer?.noteAllHeaders();
    this.#isAsked = false;
    if (this.#isSilent) return;
    const { varyOnRead, headers } = this.#settings;
    if (varyOnRead === undefined) return;
    if (headers === undefined) this.#inputs.add(ALL_HEADERS);
    else for (const name of headers) this.noteHeader(name);
  }

  noteField(container: Container, key: string): void {
    this.#reads.noteRead(container);
    if (!this.isWritten(container, key)) this.#noteState(container, key);
  }

  noteAllFields(container: Container): void {
    this.#reads.noteRead(container);
    if (!this.#isSilent && !this.#isOutermost) this.#inputs.add(allOf(container));
  }

  noteNames(container: Container): void {
    if (!this.#isSilent && !this.#isOutermost) this.#inputs.add(namesOf(container));
  }

  /** Notes that the client's address was read. */
  noteAddress(input: string): void {
    this.#refuse(input);
  }

  noteWritten(container: Container, key: string | symbol): void {
    this.#reads.noteWritten(container, key);
  }

  isWritten(container: Container, key: string | symbol): boolean {
    return this.#reads.isWritten(container, key);
  }

  copyLocals(): object | undefined {
    const locals = this.peek(() => holderOf(this.#req, this.#res, 'locals'));
    return locals && copyOfLocals(locals);
  }

  lendLocals<T>(locals: object | undefined, work: () => T): T {
    this.#lent = locals;
    try {
      return work();
    } finally {
      this.#lent = undefined;
    }
  }

  #refuse(input: string): void {
    if (this.#outer !== undefined) this.#outer.#refuse(input);
    if (this.#isSilent || this.#settings.varyOnRead?.has(input.replace(/^req\./, '').toLowerCase()))
      return;
    this.#refusal ??= { input, reader: callerFile() };
  }

  #noteState(scope: 'req' | 'res' | Container, key: string): void {
    if (this.#isSilent || this.#isOutermost) return;
    const name = { scope, key };
    const { state, varyOnRead } = this.#settings;
    if (!isCounted(state, name) || varyOnRead?.has(key.toLowerCase())) return;
    const input = stateInput(name);
    if (this.#inputs.has(input)) return;
    if (this.#values.state(name).isOpaque !== true) {
      this.#inputs.add(input);
      return;
    }
    // What it may depend on: the headers that it was made from, and all state beside it.
    this.#inputs.add(ALL_STATE);
    const sources = state.from ?? this.#sources;
    if (sources === undefined) this.noteAllHeaders();
    else for (const source of sources) this.noteHeader(source);
  }

  /** Code that got hold of the headers, and was not seen to read any, may have gone through all. */
  #settleHeaders(): void {
    if (this.#isAsked) this.#unread += 1;
    this.#isAsked = false;
    if (this.#unread > 0 && !this.#isSilent) this.noteAllHeaders();
    this.#unread = 0;
  }

  #watchOwn(scope: 'req' | 'res', holder: object): void {
    for (const key of Reflect.ownKeys(holder)) {
      if (!isStateKey(scope, key)) continue;
      if (scope === 'res' && isReplacedMethod(holder, key)) continue;
      if (scope === 'res') meetOnResponse(key);
      this.#watchProperty(scope, holder, key);
    }
  }

  #watchProperty(scope: 'req' | 'res', holder: object, key: string | symbol): void {
    const own = Object.getOwnPropertyDescriptor(holder, key)!;
    if (own.configurable === false) {
      this.#watchFixed(scope, holder, key);
      return;
    }
    const accessor = accessorOf(scope, key, own.enumerable === true);
    const isOuters = own.get !== undefined && own.get === accessor.get;
    this.#own[scope].set(key, isOuters ? { isOuters } : own);
    if (!isOuters) Object.defineProperty(holder, key, accessor);
  }

  /** A property that cannot be redefined: its object is watched, or else it counts as read. */
  #watchFixed(scope: 'req' | 'res', holder: object, key: string | symbol): void {
    const value: unknown = this.peek(() => Reflect.get(holder, key));
    const onRead = () => this.#noteState(scope, keyName(key));
    const unwatch =
      typeof value === 'object' && value !== null ? watchObject(value, onRead) : undefined;
    if (unwatch === undefined) {
      onRead();
      return;
    }
    this.#unwatch.push(unwatch);
    if (scope === 'req') this.#fixed.push(keyName(key));
  }

  /** Express looks for `res.locals` after it has given the request another prototype. */
  #awaitExpress(res: Response): void {
    if (!this.#isOutermost || 'locals' in res) return;
    this.#own.res.set('locals', { value: undefined, isMade: true });
    Object.defineProperty(res, 'locals', accessorOf('res', 'locals', true));
  }

  /**
   * Watches the prototypes that Express has given to the request since.
   *
   * @param isAtOnce - Whether Express has done so just now, so that no read was missed.
   * @returns whether there were any.
   */
  #heal({ isAtOnce = false } = {}): boolean {
    if (hasWatchingPrototype(this.#req)) return false;
    if (!this.#isOutermost && !isAtOnce) this.#inputs.add(STATE_NAMES);
    watchPrototype('req', this.#req);
    if (!this.#isOutermost) watchPrototype('res', this.#res);
    this.#findMadeSession();
    return true;
  }

  /** A session that was not there at the look-up was made inside. */
  #findMadeSession(): void {
    if (this.#own.req.has('session')) return;
    const own = Object.getOwnPropertyDescriptor(this.#req, 'session');
    if (own === undefined) return;
    // A getter reads what it makes the session from, and that is seen.
    if (own.get === undefined || own.configurable === false) {
      this.#noteMadeSession();
      return;
    }
    this.#own.req.set('session', { ...own, isMade: true });
    Object.defineProperty(
      this.#req,
      'session',
      accessorOf('req', 'session', own.enumerable === true),
    );
  }

  /** Looks for what could not be watched. To be called before what was read is judged. */
  settle(): void {
    this.#heal();
    this.#findMadeSession();
    this.#settleHeaders();
    this.#settleContainer();
  }

  /** A session that was made inside changes without any input that could tell. */
  #noteMadeSession(): void {
    if (!this.#isSilent && !isReadBySessionPackage()) this.#refuse('req.session');
  }

  /** Called for whoever reads an own property. */
  readOwn(scope: 'req' | 'res', key: string | symbol): unknown {
    if (key === 'headers') {
      if (!this.#isSilent) {
        this.#heal();
        if (this.#isAsked) this.#unread += 1;
        this.#isAsked = true;
      }
      return (this.#req as { [SEEN_HEADERS]?: unknown })[SEEN_HEADERS];
    }
    if (key === 'locals' && this.#lent !== undefined) {
      const lent = this.#lent;
      this.#lent = undefined;
      return lent;
    }
    // Express looks for `res.locals` as soon as it has changed the prototypes.
    const isExpress = key === 'locals' && this.#heal({ isAtOnce: true });
    const own = this.#own[scope].get(key);
    if (isExpress) return this.peek(() => this.#original(scope, key, own));
    if (own?.isMade === true) {
      if (key === 'session') this.#noteMadeSession();
      return this.#original(scope, key, own);
    }
    if (scope === 'req' && REFUSED.has(key as string)) {
      this.#refuse(`req.${String(key)}`);
      return this.peek(() => this.#original(scope, key, own));
    }
    const read = () => this.#original(scope, key, own);
    // To a cache around this one it is a read as well.
    const value = own?.isOuters === true ? this.outside(read) : this.peek(read);
    if (this.#isSilent || this.#isOutermost || isLogger(key, value)) return value;
    if (isContainer(scope, key)) return this.#container(key as Container, value);
    this.#noteState(scope, keyName(key));
    return value;
  }

  #container(container: Container, value: unknown): unknown {
    if (container !== 'locals') this.#noteState('req', container);
    this.#settleContainer();
    if (typeof value !== 'object' || value === null) return value;
    return this.#reads.giveOut(container, value, () =>
      container === 'locals' ? this.#watchLocals(value) : watchContainer(value, container, this),
    );
  }

  #watchLocals(locals: object): object {
    const unwatch = watchLocals(locals, this);
    // What cannot be watched counts as read.
    if (unwatch === undefined) this.noteAllFields('locals');
    else this.#unwatch.push(unwatch);
    return locals;
  }

  /** Code that got hold of an object, and was not seen to read it, may have asked what it has. */
  #settleContainer(): void {
    const unread = this.#reads.takeUnread();
    if (unread !== undefined) this.noteNames(unread);
  }

  #original(scope: 'req' | 'res', key: string | symbol, own: Own | undefined): unknown {
    const holder = scope === 'req' ? this.#req : this.#res;
    if (own?.isOuters === true) return this.#outer?.readOwn(scope, key);
    if (own === undefined) return Reflect.get(Object.getPrototypeOf(holder), key, holder);
    return own.get === undefined ? own.value : own.get.call(holder);
  }

  /** Called for whoever sets an own property. */
  writeOwn(scope: 'req' | 'res', key: string | symbol, value: unknown): void {
    const holder = scope === 'req' ? this.#req : this.#res;
    if (key === 'headers') {
      (this.#req as { [SEEN_HEADERS]?: unknown })[SEEN_HEADERS] = value;
      return;
    }
    // Another visitor may have another session to lose.
    if (scope === 'req' && key === 'session') this.noteAllFields('session');
    const own = this.#own[scope].get(key);
    // Express 4 puts back the `res.locals` that it has found.
    if (key === 'locals' && own !== undefined && own.get === undefined && own.value === value)
      return;
    if (own?.isOuters === true) this.#outer?.writeOwn(scope, key, value);
    else if (own?.set !== undefined) own.set.call(holder, value);
    else if (own?.get === undefined) this.#own[scope].set(key, { value, isMade: true });
  }

  /** Called for whoever reads a name that the request does not have of its own. */
  readAbsent(scope: 'req' | 'res', key: string | symbol, isInherited: boolean): void {
    this.#outer?.readAbsent(scope, key, isInherited);
    if (this.#isSilent) return;
    if (scope === 'req' && typeof key === 'string') {
      if (ACCEPTS.has(key)) this.#unread -= 1;
      if (REFUSED.has(key)) this.#refuse(`req.${key}`);
    }
    if (isInherited || !isStateKey(scope, key)) return;
    // Streams look for a dozen names on what they write to.
    if (scope === 'res' && !isMetOnResponses(key)) return;
    this.#noteState(scope, keyName(key));
  }

  /** Called as the code inside puts something new on the request. */
  writeAbsent(scope: 'req' | 'res', key: string | symbol, value: unknown, holder: object): boolean {
    if (key === 'session' && scope === 'req') {
      this.#own.req.set(key, { value, isMade: true });
      return Reflect.defineProperty(holder, key, accessorOf('req', key, true));
    }
    return Reflect.defineProperty(holder, key, {
      configurable: true,
      enumerable: true,
      writable: true,
      value,
    });
  }

  /** Reads an inherited property of the target, whose own reads of headers are in the key. */
  readInherited(key: string | symbol, read: () => unknown): unknown {
    if (typeof key !== 'string') return read();
    if (REFUSED.has(key)) return this.peek(read);
    if (SOCKETS.has(key) && 'stream' in this.#req) return this.#watchedSocket(read());
    if (!OF_THE_TARGET.has(key)) return read();
    // An app below may trust other proxies than the one in whose name the key was made.
    const isAsKeyed = this.peek(() => trustsProxy(this.#req)) === this.#origin.isTrusting;
    return isAsKeyed ? this.peek(read) : read();
  }

  /** HTTP/2 shows each request a Proxy of the socket that its session's streams share. */
  #watchedSocket(socket: unknown): unknown {
    if (typeof socket !== 'object' || socket === null) return socket;
    return new Proxy(socket, {
      get: (target, key) => {
        if (key === 'remoteAddress') this.noteAddress('req.socket.remoteAddress');
        return Reflect.get(target, key);
      },
      set: (target, key, value) => Reflect.set(target, key, value),
    });
  }
}
