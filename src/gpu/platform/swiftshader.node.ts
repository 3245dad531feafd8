import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { extract } from 'tar-fs';
import { DeviceError } from '../errors.ts';
import { cacheFolder } from './cache-folder.node.ts';

/**
 * Unpacks the SwiftShader that the npm package `@sparticuz/chromium` carries (Linux x64) and returns its folder, which
 * holds `libvk_swiftshader.so`, `libvulkan.so.1` and the ICD file. Done once per version, under `~/.cache/zeroseg`.
 */
export async function unpackSwiftShader(): Promise<string> {
  const { file, version } = locatePackage();
  const folder = join(cacheFolder(), `swiftshader-${version}`);
  if (existsSync(join(folder, 'vk_swiftshader_icd.json'))) return folder;

  await mkdir(dirname(folder), { recursive: true });
  const fresh = await mkdtemp(`${folder}-`);
  try {
    await pipeline(createReadStream(file), createBrotliDecompress(), extract(fresh));
    // Two processes may unpack at once: the first to rename wins, the other throws its copy away.
    await rename(fresh, folder).catch((error) => {
      if (!existsSync(join(folder, 'vk_swiftshader_icd.json'))) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
}

function locatePackage(): { file: string; version: string } {
  const require = createRequire(import.meta.url);
  try {
    let folder = dirname(require.resolve('@sparticuz/chromium'));
    while (!existsSync(join(folder, 'bin', 'swiftshader.tar.br'))) {
      if (dirname(folder) === folder) throw new DeviceError('bin/swiftshader.tar.br is missing');
      folder = dirname(folder);
    }
    const { version } = require(join(folder, 'package.json')) as { version: string };
    return { file: join(folder, 'bin', 'swiftshader.tar.br'), version };
  } catch (cause) {
    throw new DeviceError(
      "openDevice: no GPU was found and the npm package '@sparticuz/chromium', which carries a software one, is not " +
        'installed; install a Vulkan driver, or run `npm install @sparticuz/chromium`',
      { cause },
    );
  }
}
