/** Tables of names: what they say is here, is exported. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as core from '../../src/index.ts';
import { repository } from './markdown.ts';

/** What a span of code calls or names first: `await read(x)` is `read`, `new Linear(…)` is `Linear`; nothing for a property such as `x.shape`. */
function nameIn(span: string): string | undefined {
  const [, name] = /^\(?(?:await |new )?(?:console\.log\(await )?(\w+)(?![\w.])/.exec(span) ?? [];
  return name;
}

test.each(['docs/guides/from-pytorch.md', 'docs/guides/from-numpy.md', 'docs/guides/randomness.md'])(
  'every name in the last column of the tables of %s is exported',
  (page) => {
    const rows = readFileSync(join(repository, page), 'utf8').matchAll(/^\|.*\|([^|]*)\|$/gm);
    const spans = [...rows].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span));
    const names = spans.flatMap((span) => nameIn(span) ?? []);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !(name in core))).toEqual([]);
  },
);
