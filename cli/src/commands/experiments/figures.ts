/** Figs. 4 to 6: pictures with many names, by several models side by side. */
import { resolve } from 'node:path';
import { rounded, wholePercent } from '@zeroseg/core/internal';
import { type Image, resizeImage } from '@zeroseg/core/zeroseg';
import { nodeFileSystem, refuseLinks } from '../../files/index.ts';
import { encodePng, rasterise } from '../../photos/index.ts';
import { columnSheet, type ResultRow, writeResultPage } from '../../reports/index.ts';
import { type Context, commandText, version } from '../../shell/index.ts';
import { drawAlike, leftOutLine } from '../../votes/index.ts';
import {
  checkPhotosArguments,
  drawPhotos,
  imageryOf,
  overlaysOf,
  type PhotosArguments,
  segmentSides,
  sidesOf,
  tellPhotosPlan,
} from './photos-by-models.ts';

export const sheetFigures = ['fig4', 'fig5', 'fig6'] as const;
export type SheetFigure = (typeof sheetFigures)[number];

export interface FigureArguments extends PhotosArguments {
  readonly limit?: number;
  readonly plan?: boolean;
}

/** Photos of a figure, where nothing is said. */
const PHOTOS = 6;
/** Rows of one sheet. */
const ROWS = 8;
/** Longer side of its pictures in pixels. */
const SIDE = 400;
/** Names of a photo in the table. */
const NAMES = 5;

/** `zeroseg experiment fig4|fig5|fig6`: each shows other photos. */
export async function experimentFigure(context: Context, name: SheetFigure, options: FigureArguments): Promise<void> {
  checkPhotosArguments(name, options, 1);
  const { out, limit = PHOTOS } = options;
  const photos = await drawPhotos(options, limit, sheetFigures.indexOf(name));
  const sides = sidesOf(options);
  if (options.plan) return tellPhotosPlan(context, options, sides, photos);
  const files = nodeFileSystem(out);
  const lock = await files.lock('experiment');
  try {
    await refuseLinks(out, 'segments', `${name}.md`, `${name}.html`, `${name}.json`);
    await segmentSides(context, options, sides, photos);
    const found = await Promise.all(sides.map(overlaysOf));
    const unknown = new Map<string, readonly string[]>();
    const shown: { path: string; photo: Image; tiles: Image[]; classes: { name: string; fraction: number }[][] }[] = [];
    for (const path of photos) {
      const overlays = found.map((those) => those.get(resolve(path)) ?? '');
      const alike = await drawAlike(overlays, SIDE, { legend: false });
      if (!alike) throw new Error(`internal: ${path} was segmented, and its results are not there`);
      for (const [i, { record }] of alike.results.entries()) {
        if (record.unknown.length > 0) unknown.set(sides[i]!.model, record.unknown);
      }
      const tiles = await Promise.all(
        alike.results.map(async ({ drawing, lettering }): Promise<Image> => {
          const { data, info } = await rasterise(drawing, lettering).raw().toBuffer({ resolveWithObject: true });
          return { width: info.width, height: info.height, data };
        }),
      );
      const classes = alike.results.map(({ record }) =>
        record.classes.filter(({ label }) => label > 0).map((one) => ({ name: one.name, fraction: one.fraction })),
      );
      // Small results are drawn enlarged, so that names fit.
      const [{ width, height } = alike.photo] = tiles;
      shown.push({ path, photo: resizeImage(alike.photo, width, height, 'bicubic'), tiles, classes });
    }
    const pictures = [];
    for (let at = 0; at < shown.length; at += ROWS) {
      const rows = shown.slice(at, at + ROWS);
      const sheet = columnSheet([
        { name: 'picture', tiles: rows.map(({ photo }) => photo) },
        ...sides.map(({ model }, i) => ({ name: model, tiles: rows.map(({ tiles }) => tiles[i] as Image) })),
      ]);
      const file = shown.length > ROWS ? `${name}-${at / ROWS + 1}.png` : `${name}.png`;
      await files.write(file, await encodePng(sheet));
      pictures.push({ file, alt: `pictures ${at + 1} to ${at + rows.length}, and what each model found` });
    }
    const rows = shown.map(({ path, classes }): ResultRow => {
      const words = classes.map((those) =>
        those
          .slice(0, NAMES)
          .map((one) => `${one.name} ${wholePercent(one.fraction)}`)
          .join(', '),
      );
      return { cells: [path, ...words], isMeasured: false };
    });
    const { model, photos: places, names, clip, segmentOptions } = options;
    const command = commandText(`experiment ${name}`, {
      ...{ out, model, photos: places, names, clip, limit, seeds: options.seed, segment: segmentOptions },
    });
    const written = await writeResultPage(files, name, {
      title: `Fig. ${name.slice(3)}: open vocabulary`,
      question: `What do models find in photos, with ${names === 'imagenet' ? 'the 1,000 names of ImageNet' : names} to choose from?`,
      pictures,
      head: ['picture', ...sides.map((side) => side.model)],
      rows,
      notes: [
        `Names of the largest areas and their shares. A name has one colour in all pictures of a row. Photos are drawn by the seed; nobody chose them. The paper's figures show GroupViT and ZeroSeg on ImageNet and Conceptual Captions.`,
        ...(await imageryOf(context, options, sides, photos)),
        ...[...unknown].map(([side, words]) => `${leftOutLine(side, words)}.`),
        `By version ${version}.`,
      ],
      command,
      json: rounded({
        format: 'zeroseg-figure-1',
        name,
        version,
        command,
        names,
        photos: shown.map(({ path, classes }) => ({
          photo: path,
          found: Object.fromEntries(sides.map((side, i) => [side.model, classes[i]])),
        })),
      }),
    });
    for (const { file } of pictures) context.terminal.out(files.describe(file));
    for (const file of written.files) context.terminal.out(file);
  } finally {
    await lock.release();
  }
}
