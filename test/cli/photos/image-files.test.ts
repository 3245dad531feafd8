import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from 'fast-png';
import sharp, { type Sharp } from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { readBounded } from '../../../cli/src/files/bounded-read.ts';
import { FileError, readJson, writeFileAtomic } from '../../../cli/src/files/files.ts';
import { decodePhoto, readLabelMap, readPhoto, writeLabelPng, writePng } from '../../../cli/src/photos/image-files.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { ImageError } from '../../../src/zeroseg/image/image-error.ts';
import { pascalPalette } from '../../../src/zeroseg/image/palette.ts';

const folder = await mkdtemp(join(tmpdir(), 'zeroseg-images-'));
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** The message without the temporary folder. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('no error'),
    (error: Error) => error,
  );
  return `${error.name}: ${error.message}`.replaceAll(folder, 'FOLDER');
}

/** Four flat quarters, so that lossy formats keep their colours: red, green, blue, and dark grey. */
const side = 32;
const quarters: [number, number, number][] = [
  [220, 30, 40],
  [20, 200, 60],
  [40, 50, 210],
  [60, 60, 60],
];
const pixels = new Uint8Array(side * side * 3);
for (let i = 0; i < side * side; i++) {
  const quarter = (i % side >= side / 2 ? 1 : 0) + (i >= (side * side) / 2 ? 2 : 0);
  pixels.set(quarters[quarter]!, i * 3);
}
const source = (): Sharp => sharp(pixels, { raw: { width: side, height: side, channels: 3 } });

/** The middle pixel of each quarter. */
function middles({ width, height, data }: Image): number[][] {
  return [0.25, 0.75].flatMap((v) =>
    [0.25, 0.75].map((u) => {
      const at = (Math.floor(height * v) * width + Math.floor(width * u)) * 3;
      return [...data.slice(at, at + 3)];
    }),
  );
}

function expectClose(got: number[][], want: number[][], tolerance: number): void {
  const worst = Math.max(...got.flat().map((value, i) => Math.abs(value - want.flat()[i]!)));
  expect(worst, JSON.stringify(got)).toBeLessThanOrEqual(tolerance);
}

describe('readPhoto', () => {
  for (const [format, tolerance] of [
    ['png', 0],
    ['jpeg', 4],
    ['webp', 12],
    ['tiff', 4],
    ['gif', 3],
    ['avif', 12],
  ] as const) {
    test(format, async () => {
      const photo = await readPhoto(await file(`photo.${format}`, await source().toFormat(format).toBuffer()));
      expect([photo.width, photo.height, photo.data.length]).toEqual([side, side, side * side * 3]);
      expectClose(middles(photo), quarters, tolerance);
    });
  }

  test('JPEG without chroma subsampling, and progressive', async () => {
    const bytes = await source().jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer();
    expectClose(middles(await decodePhoto(bytes, 'p.jpg')), quarters, 4);
  });

  test('grey becomes three equal channels', async () => {
    const grey = await sharp(new Uint8Array([0, 77, 255, 128]), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect((await sharp(grey).metadata()).channels).toBe(1);
    const want = [0, 0, 0, 77, 77, 77, 255, 255, 255, 128, 128, 128];
    expect([...(await decodePhoto(grey, 'grey.png')).data]).toEqual(want);
    const jpeg = await source().toColourspace('b-w').jpeg().toBuffer();
    expect((await sharp(jpeg).metadata()).channels).toBe(1);
    for (const [r, g, b] of middles(await decodePhoto(jpeg, 'grey.jpg'))) expect([g, b]).toEqual([r, r]);
  });

  test('CMYK: (255 - c)(255 - k) / 255', async () => {
    const bytes = await source().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    const inks = await sharp(bytes).pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer();
    const { data } = await decodePhoto(bytes, 'cmyk.jpg');
    for (let i = 0; i < side * side; i++) {
      for (let c = 0; c < 3; c++) {
        const want = ((255 - inks[i * 4 + c]!) * (255 - inks[i * 4 + 3]!)) / 255;
        expect(Math.abs(data[i * 3 + c]! - want)).toBeLessThanOrEqual(1);
      }
    }
  });

  test('16 bits become 8', async () => {
    const deep = Uint16Array.from({ length: 4 * 3 }, (_, i) => i * 0x1234);
    const bytes = await sharp(deep, { raw: { width: 4, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(bytes).metadata()).depth).toBe('ushort');
    expect([...(await decodePhoto(bytes, 'deep.png')).data]).toEqual(Array.from(deep, (value) => value >> 8));
  });

  test('16-bit grey becomes 8-bit RGB', async () => {
    const path = join(folder, 'deep-grey.png');
    await writeLabelPng(path, { width: 3, height: 1, data: Uint16Array.of(0, 0x8000, 0xffff) }, []);
    expect([...(await readPhoto(path)).data]).toEqual([0, 0, 0, 128, 128, 128, 255, 255, 255]);
  });

  test('every colour under every transparency, rounded to the nearest', async () => {
    // Column: colour; row: opacity.
    const side = 256;
    const want = Array.from({ length: side * side }, (_, i) => {
      const [colour, alpha] = [i % side, i >> 8];
      return Math.round((colour * alpha + 255 * (255 - alpha)) / 255);
    });
    const colours = (channels: number) =>
      Buffer.from(
        want.flatMap((_, i) => Array.from({ length: channels }, (_, c) => (c === channels - 1 ? i >> 8 : i % side))),
      );
    const raw = (channels: 2 | 4) => sharp(colours(channels), { raw: { width: side, height: side, channels } });
    const files = {
      'rgba.png': await raw(4).png().toBuffer(),
      'grey-alpha.png': await raw(2).toColourspace('b-w').png().toBuffer(),
      'rgba.webp': await raw(4).webp({ lossless: true, exact: true }).toBuffer(),
      'rgba.tif': await raw(4).tiff({ compression: 'lzw' }).toBuffer(),
      'rgba-turned.png': await raw(4).withMetadata({ orientation: 1 }).png().toBuffer(),
      // 16 bits, of which the high ones count: c and a repeated.
      'rgba-16.png': encode({
        width: side,
        height: side,
        channels: 4,
        depth: 16,
        data: Uint16Array.from(colours(4), (v) => 257 * v),
      }),
    };
    for (const [name, bytes] of Object.entries(files)) {
      const { data } = await decodePhoto(bytes, name);
      const off = want.findIndex((value, i) => [0, 1, 2].some((c) => data[3 * i + c] !== value));
      expect(off < 0 ? 'none' : `${name}: ${data[3 * off]} for ${want[off]} at ${off}`).toBe('none');
    }
  });

  test('transparency is laid over white', async () => {
    const rgba = Uint8Array.of(10, 20, 30, 255, 10, 20, 30, 0, 100, 100, 100, 51);
    const bytes = await sharp(rgba, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const { data } = await decodePhoto(bytes, 'alpha.png');
    expect([...data.slice(0, 6)]).toEqual([10, 20, 30, 255, 255, 255]);
    expect(Math.abs(data[6]! - 224)).toBeLessThanOrEqual(1);
  });

  test('a palette PNG gives its colours', async () => {
    const bytes = await source().png({ palette: true, colours: 4 }).toBuffer();
    expect((await sharp(bytes).metadata()).isPalette).toBe(true);
    expectClose(middles(await decodePhoto(bytes, 'palette.png')), quarters, 3);
  });

  test('all eight EXIF orientations come out upright', async () => {
    // What a camera stores so that the orientation turns it back. Sharp mirrors before it turns.
    const stored: ((s: Sharp) => Sharp)[] = [
      (s) => s,
      (s) => s.flop(),
      (s) => s.rotate(180),
      (s) => s.flip(),
      (s) => s.rotate(270).flop(),
      (s) => s.rotate(270),
      (s) => s.rotate(90).flop(),
      (s) => s.rotate(90),
    ];
    for (const [i, turn] of stored.entries()) {
      const turned = await turn(source()).png().toBuffer();
      const bytes = await sharp(turned)
        .withMetadata({ orientation: i + 1 })
        .jpeg({ quality: 100 })
        .toBuffer();
      expectClose(middles(await decodePhoto(bytes, `orientation-${i + 1}.jpg`)), quarters, 6);
    }
  });

  test('a colour profile changes nothing', async () => {
    const bytes = await source().withIccProfile('p3').png().toBuffer();
    const plain = await sharp(bytes, { ignoreIcc: true }).removeAlpha().raw().toBuffer();
    expect((await sharp(bytes).metadata()).hasProfile).toBe(true);
    expect([...(await decodePhoto(bytes, 'p3.png')).data]).toEqual([...plain]);
  });

  test('of an animation, the first frame', async () => {
    const frames = await sharp(new Uint8Array(16 * 8 * 3).fill(255, 8 * 8 * 3), {
      raw: { width: 8, height: 16, channels: 3, pageHeight: 8 },
    })
      .gif({ delay: [100, 100] })
      .toBuffer();
    expect((await sharp(frames, { pages: -1 }).metadata()).pages).toBe(2);
    const photo = await decodePhoto(frames, 'animated.gif');
    expect([photo.width, photo.height, photo.data[0]]).toEqual([8, 8, 0]);
  });

  test('errors name the file and the reason', async () => {
    const jpeg = await source().resize(200).jpeg().toBuffer();
    const png = await source().resize(200).png().toBuffer();
    const cases: Record<string, () => Promise<unknown>> = {
      missing: async () => readPhoto(join(folder, 'missing.jpg')),
      folder: async () => readPhoto(folder),
      empty: async () => readPhoto(await file('empty.jpg', '')),
      text: async () => readPhoto(await file('text.jpg', 'this is not an image')),
      cutJpeg: async () => readPhoto(await file('cut.jpg', jpeg.subarray(0, jpeg.length * 0.8))),
      cutPng: async () => readPhoto(await file('cut.png', png.subarray(0, png.length / 2))),
      headerOnly: async () => readPhoto(await file('header.png', png.subarray(0, 20))),
      huge: async () => readPhoto(await file('huge.png', claim(png, 60_000, 50_000))),
      zero: async () => readPhoto(await file('zero.png', claim(png, 0, 10))),
    };
    const messages: Record<string, string> = {};
    for (const [name, read] of Object.entries(cases)) messages[name] = await failure(read());
    expect(messages).toMatchInlineSnapshot(`
      {
        "cutJpeg": "ImageError: readPhoto: FOLDER/cut.jpg: the file is damaged or cut off (premature end of JPEG image); copy it again or leave it out",
        "cutPng": "ImageError: readPhoto: FOLDER/cut.png: the file is damaged or cut off (libpng read error); copy it again or leave it out",
        "empty": "ImageError: readPhoto: FOLDER/empty.jpg: the file is empty",
        "folder": "ImageError: readPhoto: FOLDER: this is a folder, not a file",
        "headerOnly": "ImageError: readPhoto: FOLDER/header.png: the file is damaged or cut off; copy it again or leave it out",
        "huge": "ImageError: readPhoto: FOLDER/huge.png: 60000 x 50000 pixels are more than the 268,435,456 that are read; make it smaller first",
        "missing": "ImageError: readPhoto: FOLDER/missing.jpg: there is no such file or folder",
        "text": "ImageError: readPhoto: FOLDER/text.jpg: this is not an image, or of a kind that cannot be read",
        "zero": "ImageError: readPhoto: FOLDER/zero.png: the file is damaged or cut off; copy it again or leave it out",
      }
    `);
  });

  test('the error carries file and reason', async () => {
    const error = await readPhoto(join(folder, 'missing.jpg')).catch((error) => error);
    expect(error).toBeInstanceOf(ImageError);
    expect([error.file, error.reason]).toEqual([join(folder, 'missing.jpg'), 'there is no such file or folder']);
  });
});

/** The same PNG claiming another size, with a right checksum. */
function claim(png: Uint8Array, width: number, height: number): Uint8Array {
  const bytes = Uint8Array.from(png);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  view.setUint32(29, crc32(bytes.subarray(12, 29)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

describe('label maps', () => {
  const data = Uint8Array.from({ length: 7 * 5 }, (_, i) => (i % 11 === 0 ? 255 : i % 21));

  test('a palette PNG gives back its indices', async () => {
    const path = join(folder, 'labels.png');
    await writeLabelPng(path, { width: 7, height: 5, data }, pascalPalette());
    expect(await readLabelMap(path)).toEqual({ width: 7, height: 5, data });
    const png = decode(await readFile(path));
    expect(png.palette!.slice(0, 3).map((colour) => colour.slice(0, 3))).toEqual([
      [0, 0, 0],
      [128, 0, 0],
      [0, 128, 0],
    ]);
    // Other programs see the colours.
    const { data: seen } = await readPhoto(path);
    expect([...seen.slice(3, 6)]).toEqual([128, 0, 0]);
  });

  test('a palette shorter than the classes is continued', async () => {
    const path = join(folder, 'short.png');
    await writeLabelPng(path, { width: 2, height: 1, data: Uint8Array.of(0, 9) }, [[1, 2, 3]]);
    expect((await readLabelMap(path)).data).toEqual(Uint8Array.of(0, 9));
  });

  test('grey values as they are, 8 and 16 bits', async () => {
    const grey = await sharp(data, { raw: { width: 7, height: 5, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect(await readLabelMap(await file('grey.png', grey))).toEqual({ width: 7, height: 5, data });
    const deep = Uint16Array.of(0, 458, 12, 1000);
    await writeLabelPng(join(folder, 'deep.png'), { width: 2, height: 2, data: deep }, []);
    expect(await readLabelMap(join(folder, 'deep.png'))).toEqual({ width: 2, height: 2, data: deep });
  });

  for (const [depth, colours] of [
    [1, 2],
    [2, 4],
    [4, 16],
  ] as const) {
    test(`palette of ${depth} bits`, async () => {
      const width = 13;
      const index = Uint8Array.from({ length: width * 9 }, (_, i) => (i * 7 + (i >> 3)) % colours);
      const rgb = Uint8Array.from([...index].flatMap((c) => [(c * 255) / (colours - 1), c, 255 - c]));
      const bytes = await sharp(rgb, { raw: { width, height: 9, channels: 3 } })
        .png({ palette: true, colours, dither: 0 })
        .toBuffer();
      expect((await sharp(bytes).metadata()).bitsPerSample).toBe(depth);
      const got = await readLabelMap(await file(`p${depth}.png`, bytes));
      // The encoder numbers the colours as it likes: one number for each colour.
      const pairs = new Set([...got.data].map((value, i) => `${value} ${index[i]}`));
      expect([got.width, got.height, pairs.size]).toEqual([width, 9, colours]);
    });
  }

  test('errors name the file and the remedy', async () => {
    const colour = await source().png().toBuffer();
    const jpeg = await source().jpeg().toBuffer();
    await writeLabelPng(join(folder, 'whole.png'), { width: 7, height: 5, data }, []);
    const whole = await readFile(join(folder, 'whole.png'));
    const flipped = Uint8Array.from(whole);
    flipped[flipped.length - 20]! ^= 0xff;
    const interlaced = await source().png({ palette: true, colours: 4, progressive: true }).toBuffer();
    const cases: Record<string, () => Promise<unknown>> = {
      interlaced: async () => readLabelMap(await file('interlaced.png', interlaced)),
      missing: async () => readLabelMap(join(folder, 'missing.png')),
      empty: async () => readLabelMap(await file('empty.png', '')),
      colour: async () => readLabelMap(await file('colour.png', colour)),
      jpeg: async () => readLabelMap(await file('labels.jpg', jpeg)),
      cut: async () => readLabelMap(await file('cut.png', whole.subarray(0, whole.length - 30))),
      flipped: async () => readLabelMap(await file('flipped.png', flipped)),
    };
    const messages: Record<string, string> = {};
    for (const [name, read] of Object.entries(cases)) messages[name] = await failure(read());
    expect(messages).toMatchInlineSnapshot(`
      {
        "colour": "ImageError: readLabelMap: FOLDER/colour.png: a label map has one channel of class numbers; this PNG has 3; this may be the coloured picture of a label map; use the one with class numbers",
        "cut": "ImageError: readLabelMap: FOLDER/cut.png: the PNG is damaged or cut off (its end is missing); copy it again",
        "empty": "ImageError: readLabelMap: FOLDER/empty.png: the file is empty",
        "flipped": "ImageError: readLabelMap: FOLDER/flipped.png: the PNG is damaged or cut off (CRC mismatch for chunk IDAT. Expected 1883328473, found 2923710760); copy it again",
        "interlaced": "ImageError: readLabelMap: FOLDER/interlaced.png: interlaced PNGs of 2 bits cannot be read; save it without interlacing",
        "jpeg": "ImageError: readLabelMap: FOLDER/labels.jpg: label maps must be PNG; other formats blur or renumber classes; save palette indices or grey values as PNG",
        "missing": "ImageError: readLabelMap: FOLDER/missing.png: there is no such file or folder",
      }
    `);
  });
});

describe('files', () => {
  test('writePng comes back the same, in a folder that it makes', async () => {
    const path = join(folder, 'deep', 'er', 'photo.png');
    await writePng(path, { width: side, height: side, data: pixels });
    expect([...(await readPhoto(path)).data]).toEqual([...pixels]);
  });

  test('writeFileAtomic replaces the file and leaves nothing beside it', async () => {
    const place = join(folder, 'atomic');
    await writeFileAtomic(join(place, 'a.txt'), 'old');
    await writeFileAtomic(join(place, 'a.txt'), 'new');
    expect(await readFile(join(place, 'a.txt'), 'utf8')).toBe('new');
    await expect(writeFileAtomic(join(place, 'a.txt', 'b.txt'), '')).rejects.toBeInstanceOf(FileError);
    expect(await readdir(place)).toEqual(['a.txt']);
  });

  test('errors say what is wrong', async () => {
    const messages = [
      await failure(readJson(join(folder, 'no.json'))),
      await failure(readJson(await file('void.json', ''))),
      (await failure(readJson(await file('bad.json', '{"a": 1,}')))).replace(/\(.*\)/, '(what V8 says)'),
      await failure(writeFileAtomic(join(folder, 'bad.json', 'x'), '')),
    ];
    expect(messages).toMatchInlineSnapshot(`
      [
        "FileError: readJson: FOLDER/no.json: there is no such file or folder",
        "FileError: readJson: FOLDER/void.json: the file is empty",
        "FileError: readJson: FOLDER/bad.json: not valid JSON (what V8 says)",
        "FileError: makeFolder: FOLDER/bad.json: a file of that name is in the way",
      ]
    `);
  });
});

test('what never ends is read up to a limit', async () => {
  await expect(readBounded('op', '/dev/zero', 2 ** 20)).rejects.toThrow('op: /dev/zero: it holds more than 1.0 MB');
  const path = await file('list.txt', 'a'.repeat(1000));
  expect((await readBounded('op', path, 1000)).length).toBe(1000);
  await expect(readBounded('op', path, 999)).rejects.toBeInstanceOf(FileError);
  expect((await readBounded('op', '/dev/null', 10)).length).toBe(0);
});
