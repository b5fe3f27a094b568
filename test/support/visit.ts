import request from 'supertest';
import type { Listener } from './stacks';

type Method = 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete' | 'options';

/**
 * A request for a page of `http://www.example.com`. The name stays the same from visit to visit,
 * whereas supertest's ports do not.
 */
export function visit(app: Listener, path: string, method: Method = 'get'): request.Test {
  return request(app)[method](path).set('Host', 'www.example.com');
}
