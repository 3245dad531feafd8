import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** The script that the page registers; its name is fixed, for browsers look for new versions of it there. */
export const serviceWorker = 'service-worker';

/** Tells the service worker which files the page is made of. */
export function pageFiles(folder: string): Plugin {
  return {
    name: 'page-files',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const hash = createHash('sha256');
      const files = [''];
      for (const [name, part] of Object.entries(bundle).sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (name === `${serviceWorker}.js`) continue;
        hash.update(name).update(part.type === 'chunk' ? part.code : part.source);
        if (name !== 'index.html') files.push(name);
      }
      for (const name of readdirSync(join(folder, 'public')).sort()) {
        hash.update(name).update(readFileSync(join(folder, 'public', name)));
        files.push(name);
      }
      const script = bundle[`${serviceWorker}.js`];
      if (script?.type !== 'chunk') throw new Error('the service worker is not in the bundle');
      script.code = `const PAGE_FILES = ${JSON.stringify(files)};\nconst PAGE_VERSION = '${hash.digest('hex').slice(0, 16)}';\n${script.code}`;
    },
  };
}
