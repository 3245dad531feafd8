import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { readLabelMap, readPhoto } from '../../../cli/src/photos/image-files.ts';
import { photoKind } from '../../../cli/src/photos/photo-kind.ts';
import { PixelError } from '../../../src/zeroseg/image/image.ts';
import { inspectPng } from '../../../src/zeroseg/image/png.ts';
import { SceneAtlas } from '../../../src/zeroseg/scenes/atlas.ts';

const folder = await mkdtemp(join(tmpdir(), 'zeroseg-kinds-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const raw = sharp(new Uint8Array(5 * 4 * 3).fill(200), { raw: { width: 5, height: 4, channels: 3 } });
const kinds = ['jpeg', 'png', 'gif', 'webp', 'tiff', 'avif'] as const;

describe('photos by content', () => {
  for (const kind of kinds) {
    it(`${kind} under every name`, async () => {
      const bytes = await raw.clone().toFormat(kind).toBuffer();
      expect(photoKind(bytes)).toHaveProperty('kind');
      for (const name of ['a.jpg', 'a.svg', 'a.png', 'a', 'a.txt']) {
        const { width, height } = await readPhoto(await file(name, bytes));
        expect([width, height]).toEqual([5, 4]);
      }
    });
  }

  it('what is none is refused by name, also as photo.jpg', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"><rect width="5" height="5"/></svg>';
    const box = (brand: string, ...more: string[]): Uint8Array =>
      Buffer.concat([
        Buffer.of(0, 0, 0, 16 + 4 * more.length),
        Buffer.from(`ftyp${brand}\0\0\0\0${more.join('')}`, 'latin1'),
      ]);
    const others: Record<string, Uint8Array | string> = {
      svg,
      'svg with a head': `\ufeff<?xml version="1.0"?>\n<!-- a drawing -->\n<!DOCTYPE svg>\n${svg}`,
      pdf: '%PDF-1.7\n',
      bmp: 'BM\0\0\0\0',
      heic: box('heic', 'mif1', 'heic'),
      'heic by its second brand': box('mif1', 'heic'),
      film: box('isom', 'mp41'),
      'jpeg xl': Buffer.of(0xff, 0x0a, 0, 0),
      photoshop: '8BPS\0\x01',
      gzip: Buffer.of(0x1f, 0x8b, 8, 0),
      text: 'hello',
      html: '<html><body>not found</body></html>',
    };
    const reasons: Record<string, string> = {};
    for (const [name, content] of Object.entries(others)) {
      const path = await file('photo.jpg', content);
      const error = await readPhoto(path).catch((thrown: Error) => thrown);
      reasons[name] = String(error).replace(path, 'photo.jpg');
    }
    expect(reasons).toMatchInlineSnapshot(`
      {
        "bmp": "ImageError: readPhoto: photo.jpg: this is BMP, which is not read; save it as JPEG or PNG",
        "film": "ImageError: readPhoto: photo.jpg: this is a film, not a photo",
        "gzip": "ImageError: readPhoto: photo.jpg: this is a compressed file (gzip), which is not read; save it as JPEG or PNG",
        "heic": "ImageError: readPhoto: photo.jpg: this is HEIC, which is not read; save it as JPEG or PNG",
        "heic by its second brand": "ImageError: readPhoto: photo.jpg: this is HEIC, which is not read; save it as JPEG or PNG",
        "html": "ImageError: readPhoto: photo.jpg: this is not an image, or of a kind that cannot be read",
        "jpeg xl": "ImageError: readPhoto: photo.jpg: this is JPEG XL, which is not read; save it as JPEG or PNG",
        "pdf": "ImageError: readPhoto: photo.jpg: this is PDF, which is not read; save it as JPEG or PNG",
        "photoshop": "ImageError: readPhoto: photo.jpg: this is Photoshop, which is not read; save it as JPEG or PNG",
        "svg": "ImageError: readPhoto: photo.jpg: this is an SVG drawing, which has no pixels; save it as PNG",
        "svg with a head": "ImageError: readPhoto: photo.jpg: this is an SVG drawing, which has no pixels; save it as PNG",
        "text": "ImageError: readPhoto: photo.jpg: this is not an image, or of a kind that cannot be read",
      }
    `);
  });
});

function chunk(type: string, body: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** A PNG that says it is so large, with these bytes as its pixels. */
function png(width: number, height: number, pixels: Uint8Array, extra: Buffer[] = [], colour = 0): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colour], 8);
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...extra,
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('nothing is inflated beyond what a picture may have', () => {
  const zeros = deflateSync(Buffer.alloc(2 ** 27));
  const bombs: Record<string, Buffer> = {
    'pixels that it claims': png(40_000, 40_000, deflateSync(Buffer.alloc(100))),
    'pixels that are not there': png(16_384, 16_384, deflateSync(Buffer.alloc(100))),
    'data that no pixel takes': png(10, 10, zeros),
    'no size at all': png(0, 10, zeros),
  };
  for (const [name, bytes] of Object.entries(bombs)) {
    it(name, async () => {
      const before = process.memoryUsage().rss;
      const began = performance.now();
      expect(() => inspectPng(bytes)).toThrow(PixelError);
      expect(() => SceneAtlas.parse(bytes, atlas)).toThrow(/png is damaged or none|more than/);
      await expect(readLabelMap(await file('bomb.png', bytes))).rejects.toThrow(/damaged or cut off|more than/);
      expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 27);
      expect(performance.now() - began).toBeLessThan(20_000);
    });
  }

  it('profiles and texts are left out unread', async () => {
    const profile = chunk('iCCP', Buffer.concat([Buffer.from('x\0\0', 'latin1'), zeros]));
    const bytes = png(2, 1, deflateSync(Buffer.of(0, 7, 9)), [
      profile,
      chunk('zTXt', Buffer.concat([Buffer.from('x\0\0'), zeros])),
    ]);
    const { header, needed } = inspectPng(bytes);
    expect(header).toEqual({ width: 2, height: 1, depth: 8, channels: 1, hasPalette: false, isInterlaced: false });
    expect(needed.length).toBeLessThan(100);
    expect([...(await readLabelMap(await file('profile.png', bytes))).data]).toEqual([7, 9]);
  });

  it('a large map that is whole is read', async () => {
    const bytes = png(9000, 9000, deflateSync(Buffer.alloc(9000 * 9001)));
    expect((await readLabelMap(await file('large.png', bytes))).data.length).toBe(81_000_000);
  });
});

const atlas = {
  ...{ format: 'zeroseg-atlas', version: 1, side: 4, columns: 1, styles: ['s'] },
  classes: [{ name: 'a', group: 'g', keywords: [] }],
};
