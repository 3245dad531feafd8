import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { student } from '@zeroseg/pretrained';
import sirv from 'sirv';
import { FileError } from '../files/index.ts';

export interface ServePageOptions {
  /** Where the built page lies. Default: {@link builtPage}. */
  readonly folder?: string | undefined;
  /** Default: any that is free. */
  readonly port?: number | undefined;
  /** Default `localhost`: this machine only. */
  readonly host?: string | undefined;
}

export interface ServedPage {
  readonly url: string;
  close(): Promise<void>;
}

/** Weights, drawings and photos are not copied into the page that ships: they are served from the package they are in. */
const pretrained = dirname(dirname(fileURLToPath(student.weights)));

/** The built page: the one that ships in this package or, in a checkout, the one that `npm run build:web` made. */
export function builtPage(): string {
  const here = import.meta.dirname;
  const places = [join(here, '../../page'), join(here, '../../../web/dist')];
  const found = places.find((place) => existsSync(join(place, 'index.html')));
  if (found) return found;
  throw new FileError('page', places[0] as string, 'the built page is not there; make it with `npm run build:web`');
}

/**
 * Serves the page to browsers.
 *
 * ```ts
 * const { url, close } = await servePage();
 * ```
 *
 * @throws what Node's `listen` throws where the port is taken.
 */
export async function servePage({
  folder = builtPage(),
  port = 0,
  host = 'localhost',
}: ServePageOptions = {}): Promise<ServedPage> {
  const policy = await securityPolicy(folder);
  const setHeaders: NonNullable<Parameters<typeof sirv>[1]>['setHeaders'] = (response, path) => {
    response.setHeader('Content-Security-Policy', `${policy}; frame-ancestors 'none'`);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    // Names of assets change with what is in them.
    const isFixed = path.startsWith('/assets/');
    response.setHeader('Cache-Control', isFixed ? 'public, max-age=31536000, immutable' : 'no-cache');
  };
  const page = sirv(folder, { etag: true, setHeaders });
  const weights = sirv(pretrained, { etag: true, setHeaders });
  const server = createServer((request, response) => {
    page(request, response, () => {
      const inside = /^\/pretrained(\/.*)$/.exec(request.url ?? '')?.[1];
      const missing = (): void => {
        response.statusCode = 404;
        response.end('not found');
      };
      if (inside === undefined) missing();
      else {
        request.url = inside;
        weights(request, response, missing);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: used } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${used}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What the page itself says that it may do: its worker is told by a header. */
async function securityPolicy(folder: string): Promise<string> {
  const html = await readFile(join(folder, 'index.html'), 'utf8');
  const found = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1];
  if (found === undefined)
    throw new FileError('page', join(folder, 'index.html'), 'it has no security policy; build the page again');
  return found.replaceAll('&#39;', "'");
}
