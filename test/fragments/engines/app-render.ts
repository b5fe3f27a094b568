import type { Express } from 'express';

/** A view, as the app renders it. */
export function appRender(app: Express, view: string, locals: object = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    app.render(view, locals, (error: Error | null, html: string) =>
      error ? reject(error) : resolve(html),
    );
  });
}
