/** Pages that are made from the code. `npm run docs` writes them again. */
import { expect, test } from 'vitest';
import { commandReference } from './command-reference.ts';
import { configurationReference } from './configuration-reference.ts';

test.each([
  ['docs/cli.md', commandReference],
  ['docs/configuration.md', configurationReference],
])('%s says what the code says', async (page, make) => {
  await expect(make()).toMatchFileSnapshot(`../../${page}`);
});
