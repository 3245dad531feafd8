// Draws the cut-outs of further styles out of the npm packages of Iconify, for scripts/build-atlas.mjs:
//
//   npm install --no-save @iconify-json/{twemoji,openmoji}@1 @iconify-json/noto-v1@1.2.5 @iconify-json/fxemoji@1.2.2
//   node scripts/draw-cut-outs.mjs SOURCE noto-v1:noto fxemoji:twemoji [--packages node_modules]
//
// SOURCE holds classes.json ([{ name, file, unicode, cldr }]); SOURCE/STYLE/FILE (RGBA, 120 pixels) is written for each class. A class that a
// style has no drawing of takes that of the style behind the colon, which SOURCE holds by then; without one it is an error.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { packages: { type: 'string', default: 'node_modules' } },
});
const [source, ...styles] = positionals;
if (source === undefined || styles.length === 0)
  throw new Error('draw-cut-outs: give the folder of cut-outs, and styles');

const read = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));
const open = (style, file) => read(values.packages, '@iconify-json', style, file);

// Firefox' drawings have names of their own, and of some things only a head under the plain name.
const names = {
  fxemoji: new Map(
    Object.entries({
      dog: 'dogside',
      cat: 'catside',
      mouse: 'mouseside',
      pig: 'pigside',
      leopard: 'leopardside',
      camel: 'dromedarycamel',
      bee: 'honeybee',
      tree: 'deciduoustree',
      apple: 'redapple',
      pizza: 'sliceofpizza',
      cup: 'hotbeverage',
      car: 'automobile',
      boat: 'sailboat',
      house: 'housewithgarden',
      clock: 'clock3oclock',
      book: 'closedbook',
      hat: 'tophat',
      shoe: 'mensrunner',
      shirt: 'mansshirt',
      ball: 'soccerball',
    }),
  ),
};

const classes = read(source, 'classes.json');
// Icons go by names; which character has which, newer sets tell.
const characters = ['twemoji', 'openmoji'].map((style) => open(style, 'chars.json'));
const clear = { r: 0, g: 0, b: 0, alpha: 0 };
const side = 120;

for (const style of styles) {
  const [name, substitute] = style.split(':');
  const { icons, aliases = {}, width = 16, height = 16 } = open(name, 'icons.json');
  mkdirSync(join(source, name), { recursive: true });
  const missing = [];
  for (const one of classes) {
    const icon = iconNames(name, one)
      .map((called) => icons[aliases[called]?.parent ?? called])
      .find(Boolean);
    const file = join(source, name, one.file);
    if (icon) {
      writeFileSync(file, await drawn({ width, height, ...icon }));
      continue;
    }
    if (substitute === undefined)
      throw new Error(`draw-cut-outs: ${name} has no ${one.name}; give a style to take it from: ${name}:STYLE`);
    copyFileSync(join(source, substitute, one.file), file);
    missing.push(one.name);
  }
  console.log(
    `${name}: ${classes.length - missing.length} drawings${missing.length > 0 ? `; of ${substitute}: ${missing.join(', ')}` : ''}`,
  );
}

/** What a class may be called in a set, the likeliest first. */
function iconNames(style, { name, cldr, unicode }) {
  const code = unicode.toLowerCase();
  const known = characters.flatMap((names) => [names[code], names[`${code}-fe0f`]]);
  const words = [cldr, name];
  return [
    names[style]?.get(name),
    ...known,
    ...words.map((word) => word.replaceAll(' ', '-')),
    ...words.map((word) => word.replaceAll(' ', '')),
    ...known.map((word) => word?.replaceAll('-', '')),
  ].filter(Boolean);
}

async function drawn({ body, left = 0, top = 0, width, height }) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="256" height="${(256 * height) / width}" viewBox="${left} ${top} ${width} ${height}">${body}</svg>`;
  return sharp(Buffer.from(svg))
    .trim({ background: clear, threshold: 1 })
    .resize(side, side, { fit: 'contain', background: clear })
    .png()
    .toBuffer();
}
