import { expect, it } from 'vitest';
import { commandText } from '../../../cli/src/shell/arguments.ts';

it('writes a command that a shell reads back', () => {
  const options = {
    out: "my teacher's runs",
    steps: 5,
    set: ['dim=32', 'grids=1,2'],
    init: undefined,
    quick: true,
    json: false,
  };
  expect(commandText('train', options)).toBe(
    String.raw`zeroseg train --out 'my teacher'\''s runs' --steps 5 --set dim=32 --set grids=1,2 --quick`,
  );
  expect(commandText('score', { classes: '' })).toBe("zeroseg score --classes ''");
});
