// Removes what the last build made: a file that was moved since would be packed too.
import { rmSync } from 'node:fs';

for (const folder of ['../dist', '../cli/dist']) {
  rmSync(new URL(folder, import.meta.url), { recursive: true, force: true });
}
