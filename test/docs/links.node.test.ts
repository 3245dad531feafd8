import { existsSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { pages, repository } from './markdown.ts';

const byPath = new Map(pages.map((page) => [page.path, page]));

/** Where links of a page into the repository lead. */
function targets({ path, links }: (typeof pages)[number]): { link: string; file: string; anchor: string }[] {
  return links
    .filter((link) => !/^[a-z]+:/i.test(link))
    .map((link) => {
      const [file = '', anchor = ''] = link.split('#');
      return { link, file: file === '' ? path : normalize(join(path, '..', decodeURI(file))), anchor };
    });
}

test('the pages are found', () => {
  expect(byPath.get('README.md')?.anchors).toContain('licence');
  expect(pages.length).toBeGreaterThan(20);
});

test('every link into the repository leads to a file that is there, every #anchor to a heading', () => {
  const broken = pages.flatMap((page) =>
    targets(page)
      .filter(({ file, anchor }) => {
        if (!existsSync(join(repository, file))) return true;
        return anchor !== '' && !byPath.get(file)?.anchors.has(anchor);
      })
      .map(({ link }) => `${page.path}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test('every page can be reached from README', () => {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const page = byPath.get(path);
    if (!page || reached.has(path)) return;
    reached.add(path);
    for (const { file } of targets(page)) visit(file);
  };
  visit('README.md');
  expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
});
