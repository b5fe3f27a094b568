import type { ServerResponse } from 'node:http';
import type { Request, Response } from '../headers/middleware';
import type { StoredResponse } from './stored-response';

/**
 * Sends a stored response again, with its `Age`. The fields go through `writeHead`, where the
 * middleware outside the cache sees and may change them, as it did when the page was made.
 */
export function replay(req: Request, response: Response, stored: StoredResponse): void {
  const res = response as ServerResponse;
  const age = stored.age(Date.now());
  const fields = age === undefined ? stored.fields : withField(stored.fields, 'Age', String(age));
  if (stored.reason === '' || 'stream' in res) res.writeHead(stored.status, fields as string[]);
  else res.writeHead(stored.status, stored.reason, fields as string[]);
  if (req.method === 'HEAD') res.end();
  else res.end(stored.body);
}

function withField(
  fields: StoredResponse['fields'],
  name: string,
  value: string,
): StoredResponse['fields'] {
  const lower = name.toLowerCase();
  const others: (string | readonly string[])[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() !== lower) others.push(fields[i]!, fields[i + 1]!);
  }
  others.push(name, value);
  return others;
}
