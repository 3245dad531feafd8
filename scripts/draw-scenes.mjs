/**
 * Draws the picture of the README: scenes that the built-in student has not seen, its segments, their names, and the truth. The
 * scenes are those of `zeroseg score --scenes 500 --seed 1`, ranked by the fraction of pixels that are named right; those at the 90th, the
 * 50th and the 10th percentile are shown, so that nobody chose them. Names with their fractions are printed.
 *
 *   npm run build && node scripts/draw-scenes.mjs docs/images/scenes.png
 */
import { openDevice } from '@zeroseg/core';
import { blendLabels, nameColours, resizeImage, SCORING_SEED, scoringScenes } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';
import { interLettering, loadAtlas, openVocabulary } from 'zeroseg';
import { segmentCentres } from '../dist/zeroseg/drawing/label-positions.js';
import { segmentColour } from '../dist/zeroseg/image/index.js';

const SCENES = 500;
const SEED = 1;
const percentiles = [90, 50, 10];
const SIDE = 128;
const TILE = 384;
const GAP = 18;
const HEADER = 52;

const out = process.argv[2];
if (!out) {
  console.error('Usage: node scripts/draw-scenes.mjs FILE.png');
  process.exit(2);
}
const device = await openDevice();
const model = await openVocabulary(device, { model: 'built-in', clip: 'built-in' });
const maker = scoringScenes(await loadAtlas(), { classes: 40, size: SIDE });
const vocabulary = await model.vocabulary(maker.names);
const { naming } = model.opened.info;
const rules = { ...naming, mode: 'whole', short: SIDE };
/** Segments and labels of a scene, as the model's file says. */
async function look(image) {
  const division = await model.segmenter.divide(image, rules);
  const { labels } = await model.segmenter.name(division, vocabulary, rules);
  return { segments: division.windows[0].segmentOf, labels: labels.data };
}

const ranked = [];
for (let index = 0; index < SCENES; index++) {
  const scene = maker.scene(SCORING_SEED + SEED, index);
  const { labels } = await look(scene.image);
  const right = scene.labels.data.reduce((sum, label, at) => sum + (label === labels[at] ? 1 : 0), 0) / labels.length;
  ranked.push({ index, right });
}
ranked.sort((a, b) => a.right - b.right);

const lettering = interLettering();
const tiles = [];
for (const [row, percentile] of percentiles.entries()) {
  const { index, right } = ranked[Math.round((percentile / 100) * (SCENES - 1))];
  const scene = maker.scene(SCORING_SEED + SEED, index);
  const found = await look(scene.image);
  const large = resizeImage(scene.image, TILE, TILE, 'bicubic');
  const enlarged = (data) => ({
    width: TILE,
    height: TILE,
    data: Uint16Array.from({ length: TILE * TILE }, (_, at) => {
      const [x, y] = [at % TILE, Math.floor(at / TILE)].map((value) => Math.floor((value * SIDE) / TILE));
      return data[y * SIDE + x];
    }),
  });
  const [segments, named, truth] = [found.segments, found.labels, scene.labels.data].map(enlarged);
  const shown = [...new Set([...truth.data, ...named.data])];
  const colours = nameColours(shown.map((label) => maker.names[label - 1]));
  const colour = (label) => colours[shown.indexOf(label)];
  const tinted = (labels, own, opacity) => blendLabels(large, labels, { background: null, opacity, colour: own });
  const pictures = [
    [large],
    [tinted(segments, segmentColour, 0.7)],
    [tinted(named, colour, 0.6), named],
    [tinted(truth, colour, 0.6), truth],
  ];
  for (const [column, [picture, labels]] of pictures.entries()) {
    const left = GAP + column * (TILE + GAP);
    const top = HEADER + row * (TILE + GAP);
    const boxes = labels ? nameBoxes(labels) : '';
    const mask = `<svg width="${TILE}" height="${TILE}"><rect width="${TILE}" height="${TILE}" rx="14"/></svg>`;
    const input = await sharp(picture.data, { raw: { width: TILE, height: TILE, channels: 3 } })
      .composite([{ input: Buffer.from(`<svg width="${TILE}" height="${TILE}">${boxes}</svg>`) }])
      .png()
      .toBuffer()
      .then((bytes) =>
        sharp(bytes)
          .ensureAlpha()
          .composite([{ input: Buffer.from(mask), blend: 'dest-in' }])
          .png()
          .toBuffer(),
      );
    tiles.push({ input, left, top });
  }
  const fractions = (data) => {
    const counts = new Map();
    for (const label of data) counts.set(label, (counts.get(label) ?? 0) + 1);
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    return sorted.map(([label, count]) => `${maker.names[label - 1]} ${Math.round((100 * count) / data.length)} %`);
  };
  console.log(`percentile ${percentile}: scene ${index}, ${(100 * right).toFixed(1)} % of pixels right`);
  console.log(`  named ${fractions(named.data).join(', ')}\n  truth ${fractions(truth.data).join(', ')}`);
}
device.dispose();

function nameBoxes({ data }) {
  const size = 27;
  const taken = [];
  return segmentCentres(data, TILE, TILE, TILE * TILE * 0.006)
    .map(({ label, x, y }) => {
      const name = maker.names[label - 1];
      const text = lettering.measure(name, size);
      const [width, height] = [text.width + 18, text.height + 6];
      const left = Math.max(6, Math.min(TILE - width - 6, x - width / 2));
      const top = [0, -1, 1]
        .map((step) => Math.max(6, Math.min(TILE - height - 6, y - height / 2 + step * (height + 3))))
        .find(
          (at) => !taken.some((box) => Math.abs(box.top - at) < height && left < box.right && box.left < left + width),
        );
      if (top === undefined) return '';
      taken.push({ left, right: left + width, top });
      const path = lettering.path(name, size, left + 9, top + 3 + text.ascent);
      return `<rect x="${left}" y="${top}" width="${width}" height="${height}" rx="6" fill="#14171c" fill-opacity="0.8"/><path d="${path}" fill="#fff"/>`;
    })
    .join('');
}

const [width, height] = [GAP + 4 * (TILE + GAP), HEADER + percentiles.length * (TILE + GAP)];
const titles = ['a scene', 'segments', 'named', 'truth'].map((title, column) => {
  const { width: long } = lettering.measure(title, 28);
  return `<path d="${lettering.path(title, 28, GAP + column * (TILE + GAP) + (TILE - long) / 2, 34)}" fill="#808893"/>`;
});
const header = Buffer.from(`<svg width="${width}" height="${HEADER}">${titles.join('')}</svg>`);
const info = await sharp({ create: { width, height, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
  .composite([...tiles, { input: header, left: 0, top: 0 }])
  .png({ palette: true, quality: 90, dither: 0.5, effort: 10, compressionLevel: 9 })
  .toFile(out);
console.log(`${out}: ${info.width} x ${info.height}, ${info.size} bytes`);
