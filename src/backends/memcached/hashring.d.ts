/** hashring ships no types of its own. */
declare module 'hashring' {
  export default class HashRing {
    constructor(
      servers: Readonly<Record<string, { readonly vnodes: number }>>,
      algorithm: string,
      options: { readonly 'vnode count': number },
    );
    /** The server that has the key. */
    get(key: string): string;
  }
}
