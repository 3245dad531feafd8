// Serves the site while it is written: a change in `docs` or `examples` is seen at once.
import { watch } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createServer } from 'vitepress';
import { gather } from './gather.mjs';

const writeAgain = await gather();
for (const folder of ['docs', 'examples']) {
  watch(fileURLToPath(new URL(`../${folder}`, import.meta.url)), { recursive: true }, writeAgain);
}
const server = await createServer(fileURLToPath(new URL('.', import.meta.url)));
await server.listen();
server.printUrls();
