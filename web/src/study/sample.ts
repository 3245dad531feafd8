/** A study to try: eight scenes, named by the built-in student and by its teacher (`scripts/make-sample-study.mjs`). */
import type { GivenFile } from './messages.ts';

const urls = import.meta.glob<string>('../../samples/study/*', { query: '?url', import: 'default', eager: true });

export async function sampleStudy(): Promise<GivenFile[]> {
  return Promise.all(
    Object.entries(urls).map(async ([path, url]) => {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`the sample study could not be loaded (${response.status}); reload the page`);
      return { path: path.slice(path.lastIndexOf('/') + 1), file: await response.blob() };
    }),
  );
}
