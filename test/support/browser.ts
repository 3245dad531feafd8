import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import chromium from '@sparticuz/chromium';
import { extract } from 'tar-fs';

/** How to start the headless Chromium that comes by npm, with WebGPU on its SwiftShader. */
export async function browserLaunchOptions(): Promise<{
  executablePath: string;
  args: string[];
  env: Record<string, string>;
}> {
  const executablePath = process.env['CHROMIUM_PATH'] ?? (await chromium.executablePath());
  const libraries = await unpackLibraries();
  return {
    executablePath,
    args: [
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
    env: {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: [join(libraries, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':'),
    },
  };
}

/** NSS and the like, which a bare system lacks. */
async function unpackLibraries(): Promise<string> {
  const require = createRequire(import.meta.url);
  let root = dirname(require.resolve('@sparticuz/chromium'));
  while (!existsSync(join(root, 'bin', 'al2023.tar.br'))) root = dirname(root);
  const { version } = require(join(root, 'package.json')) as { version: string };
  const folder = join(tmpdir(), `zeroseg-chromium-libraries-${version}`);
  if (existsSync(folder)) return folder;
  const fresh = await mkdtemp(`${folder}-`);
  await pipeline(createReadStream(join(root, 'bin', 'al2023.tar.br')), createBrotliDecompress(), extract(fresh));
  await rename(fresh, folder).catch(() => rm(fresh, { recursive: true, force: true }));
  return folder;
}
