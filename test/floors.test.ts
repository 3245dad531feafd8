import { expect, it } from 'vitest';

/** Every source file as text; works in Node and in browsers. */
const sources = import.meta.glob('../src/**/*.ts', { query: '?raw', import: 'default', eager: true }) as Record<
  string,
  string
>;

/** From the ground up; a folder may import from those before it and from itself. */
const floors = ['gpu', 'tensor', 'kernels', 'nn', 'zeroseg', 'bench', 'node', 'cli'];

it('imports point down the floors, never up', () => {
  const wrong: string[] = [];
  for (const [file, text] of Object.entries(sources)) {
    const floor = floors.indexOf(/src\/([^/]+)\//.exec(file)?.[1] ?? '');
    for (const [, target = ''] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const folder = new URL(target, `file:///${file.replace('../', '')}`).pathname.split('/')[2] ?? '';
      if (floor >= 0 && floors.indexOf(folder) > floor) wrong.push(`${file} imports ${target}`);
    }
  }
  expect(Object.keys(sources).length).toBeGreaterThan(30);
  expect(wrong).toEqual([]);
});

it('only src/node, src/cli and the files for Node import Node', () => {
  const wrong = Object.entries(sources).filter(
    ([file, text]) =>
      !/src\/(node|cli)\/|\.node\.ts$/.test(file) && /from '(node:|sharp|commander|cli-progress)/.test(text),
  );
  expect(wrong.map(([file]) => file)).toEqual([]);
});
