import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

/** ImageNet's most frequent sizes. */
const sizes = [
  [500, 375],
  [500, 375],
  [500, 333],
  [375, 500],
];

/** Makes so many JPEGs of ImageNet's sizes, of parts of the package's photos, and gives their folder. */
export async function makePhotos(count) {
  const folder = await mkdtemp(join(tmpdir(), 'zeroseg-bench-photos-'));
  const from = fileURLToPath(new URL('../../pretrained/photos/', import.meta.url));
  const sources = (await readdir(from)).filter((name) => name.endsWith('.jpg')).sort();
  for (let i = 0; i < count; i++) {
    const photo = sharp(join(from, sources[i % sources.length]));
    const { width, height } = await photo.metadata();
    const [w, h] = sizes[i % sizes.length];
    const part = 0.5 + 0.05 * (Math.floor(i / sources.length) % 10);
    const [partWidth, partHeight] = [Math.round(width * part), Math.round(height * part)];
    const place = { left: (i * 37) % (width - partWidth + 1), top: (i * 53) % (height - partHeight + 1) };
    const jpeg = await photo
      .extract({ ...place, width: partWidth, height: partHeight })
      .resize(w, h, { fit: 'cover' })
      .jpeg({ quality: 92 })
      .toBuffer();
    await writeFile(join(folder, `photo-${String(i).padStart(5, '0')}.jpg`), jpeg);
  }
  return folder;
}
