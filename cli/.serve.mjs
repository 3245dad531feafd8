// cli/src/page/serve-page.ts
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { student } from '@zeroseg/pretrained';
import sirv from 'sirv';

// src/gpu/errors.ts
var ZeroSegError = class extends Error {};

// src/zeroseg/storage/errors.ts
var FileError = class extends ZeroSegError {
  name = 'FileError';
  code = 'file';
  path;
  /** What is wrong, without the call and the path. */
  reason;
  constructor(op, path, reason, options) {
    super(`${op}: ${path}: ${reason}`, options);
    this.path = path;
    this.reason = reason;
  }
};

// cli/src/page/serve-page.ts
var pretrained = dirname(dirname(fileURLToPath(student.weights)));
function builtPage() {
  const here = import.meta.dirname;
  const places = [join(here, '../../page'), join(here, '../../../web/dist')];
  const found = places.find((place) => existsSync(join(place, 'index.html')));
  if (found) return found;
  throw new FileError('page', places[0], 'the built page is not there; make it with `npm run build:web`');
}
async function servePage({ folder = builtPage(), port = 0, host = 'localhost' } = {}) {
  const policy = await securityPolicy(folder);
  const setHeaders = (response, path) => {
    response.setHeader('Content-Security-Policy', `${policy}; frame-ancestors 'none'`);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    const isFixed = path.startsWith('/assets/');
    response.setHeader('Cache-Control', isFixed ? 'public, max-age=31536000, immutable' : 'no-cache');
  };
  const page = sirv(folder, { etag: true, setHeaders });
  const weights = sirv(pretrained, { etag: true, setHeaders });
  const server = createServer((request, response) => {
    page(request, response, () => {
      const inside = /^\/pretrained(\/.*)$/.exec(request.url ?? '')?.[1];
      const missing = () => {
        response.statusCode = 404;
        response.end('not found');
      };
      if (inside === void 0) missing();
      else {
        request.url = inside;
        weights(request, response, missing);
      }
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: used } = server.address();
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${used}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
async function securityPolicy(folder) {
  const html = await readFile(join(folder, 'index.html'), 'utf8');
  const found = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1];
  if (found === void 0)
    throw new FileError('page', join(folder, 'index.html'), 'it has no security policy; build the page again');
  return found.replaceAll('&#39;', "'");
}

// ../../../tmp/page/serve.ts
var { url } = await servePage({ folder: '/work/wt/page/web/dist', port: 4861 });
console.log(url);
