import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** The script that the page registers; its name is fixed, for browsers look for new versions of it there. */
export const serviceWorker = 'service-worker';

/** What is not kept for visits without a network: the libraries that the bench compares with, which few visitors ask for. */
const notKept = /^assets\/peer-worker-/;

/** The files that the page leads to, from file to file by their names. */
function keptFiles(texts: ReadonlyMap<string, string>): ReadonlySet<string> {
  const kept = new Set(['index.html']);
  for (const file of kept) {
    const text = texts.get(file) ?? '';
    for (const name of texts.keys()) {
      if (!notKept.test(name) && text.includes(name.slice(name.lastIndexOf('/') + 1))) kept.add(name);
    }
  }
  return kept;
}

function textOf(part: OutputBundle[string]): string {
  if (part.type === 'chunk') return part.code;
  return /\.(js|css|html)$/.test(part.fileName) ? Buffer.from(part.source).toString() : '';
}

type OutputBundle = Parameters<Extract<Plugin['generateBundle'], (...given: never[]) => unknown>>[1];

/** Tells the service worker which files the page is made of. */
export function pageFiles(folder: string): Plugin {
  return {
    name: 'page-files',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const hash = createHash('sha256');
      const files = [''];
      const kept = keptFiles(new Map(Object.values(bundle).map((part) => [part.fileName, textOf(part)])));
      for (const [name, part] of Object.entries(bundle).sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (name === `${serviceWorker}.js` || !kept.has(name)) continue;
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
