// Packs cut-outs on transparent ground into the atlas that scenes are made of: FOLDER/atlas.png and FOLDER/atlas.json.
//
//   node scripts/build-atlas.mjs SOURCE [--styles noto,fluent-flat,fluent-3d] [--side 64] [--out pretrained/scenes]
//
// SOURCE holds classes.json ([{ name, file, group, keywords }]) and, for each style, STYLE/FILE (RGBA). Cut-outs are
// trimmed and fitted into cells of SIDE pixels, by style, then by class. The PNG has one palette of 256 colours with
// alpha and is a little dithered, against bands: 369 kB for the three styles that ship, at 29.8 dB (not dithered: 354 kB
// and 29.8 dB; fully: 402 kB and 29.4 dB). In full colour it would be 1,978 kB, with colours rounded to 8ths 1,083 kB.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    styles: { type: 'string', default: 'noto,fluent-flat,fluent-3d' },
    side: { type: 'string', default: '64' },
    out: { type: 'string', default: 'pretrained/scenes' },
  },
});
const [source] = positionals;
if (source === undefined || positionals.length > 1) throw new Error('build-atlas: give one folder of cut-outs');
const styles = values.styles.split(',').map((style) => style.trim());
const side = Number(values.side);
if (!Number.isInteger(side) || side < 8) throw new Error(`build-atlas: --side must be a whole number from 8`);

// The order of the classes: first forty that look unlike each other, of all groups; then the rest as in the source.
const first = list(`
  dog, cat, car, tree, apple, umbrella, fish, house, banana, clock,
  elephant, bicycle, butterfly, chair, guitar, airplane, frog, strawberry, shirt, boat,
  penguin, book, pizza, cactus, key, train, sunflower, zebra, balloon, cup,
  shoe, rocket, mushroom, snail, hat, bus, carrot, owl, ball, crab`);

// What else a class may be called, chosen by hand from the source's keywords and from everyday speech. A word that also
// fits another class (animal, bird, fruit, bag, light) is none.
const synonyms = new Map(
  `
  dog: puppy, hound, doggy
  cat: kitten, kitty
  horse: pony, stallion
  cow: dairy cow, heifer
  sheep: lamb, ewe
  pig: piglet, hog
  elephant: pachyderm
  giraffe:
  zebra:
  tiger: bengal tiger
  leopard:
  camel: dromedary
  kangaroo: wallaby
  monkey: macaque
  gorilla: ape, silverback
  bear: grizzly, brown bear
  panda: giant panda, panda bear
  rabbit: bunny, hare
  hedgehog:
  bat: vampire bat
  mouse: rodent
  fox: vixen
  koala: koala bear
  lion:
  wolf: timber wolf
  frog: toad
  crocodile: alligator, croc
  turtle: tortoise, terrapin
  lizard: gecko, iguana
  snake: serpent, viper
  dragon:
  bird: songbird
  eagle: hawk
  duck: mallard, drake
  swan:
  owl: barn owl
  flamingo:
  peacock: peafowl
  parrot: macaw, parakeet
  penguin: emperor penguin
  rooster: cockerel, chicken
  whale: blue whale
  dolphin: porpoise
  fish: tropical fish
  shark: great white shark
  octopus:
  crab:
  lobster: crayfish, crawfish
  snail: slug, escargot
  butterfly: moth
  bee: bumblebee, honeybee
  ladybug: ladybird, beetle
  spider: tarantula, arachnid
  cactus: saguaro
  tulip: tulip flower
  rose: rose flower
  sunflower:
  tree: oak, oak tree
  palm: palm tree, coconut tree
  mushroom: toadstool, fungus
  apple:
  banana: plantain
  grapes:
  orange: tangerine, mandarin
  pineapple: ananas
  strawberry: berry
  watermelon: melon
  lemon:
  carrot:
  corn: maize, corn cob
  broccoli:
  eggplant: aubergine
  pizza: pizza slice
  hamburger: burger, cheeseburger
  hot dog: hotdog, frankfurter
  donut: doughnut
  cake: birthday cake
  ice cream: ice cream cone
  bread: loaf
  wine: wine glass
  beer: beer mug, pint
  car: automobile, sedan
  bus: school bus, minibus
  truck: lorry, delivery truck
  tractor: farm tractor
  bicycle: bike
  motorcycle: motorbike
  train: locomotive, steam engine
  airplane: plane, aeroplane, jet
  helicopter: chopper
  rocket: spaceship, space rocket
  boat: sailboat, yacht
  ship: cruise ship, ocean liner
  anchor: ship anchor
  house: cottage, home
  castle: fortress, palace
  tent: camping tent
  umbrella: parasol
  clock: alarm clock
  chair: seat
  couch: sofa, settee
  bed: bedstead
  toilet: lavatory, toilet bowl
  lamp: light bulb, bulb
  candle: wax candle
  book: open book, novel
  guitar: electric guitar
  piano: piano keyboard
  violin: fiddle
  trumpet: bugle, horn
  drum: snare drum
  camera: photo camera
  television: tv, tv set
  laptop: computer, laptop computer
  telephone: phone
  key: door key
  hammer: mallet
  scissors: shears
  axe: hatchet, ax
  backpack: rucksack, school bag
  hat: top hat, tophat
  shoe: sneaker, running shoe
  shirt: t-shirt, tee shirt
  dress: gown, frock
  glasses: eyeglasses, spectacles
  crown: tiara
  ball: soccer ball, football
  basketball:
  tennis: tennis racket, racket
  bottle: champagne bottle
  cup: coffee cup, teacup
  potted plant: houseplant, pot plant
  traffic light: stoplight, traffic signal
  balloon: party balloon
  kite: flying kite
  teddy bear: teddy, plush bear
  globe: planet, planet earth`
    .trim()
    .split('\n')
    .map((line) => line.split(':').map((part) => part.trim()))
    .map(([name, words]) => [name, list(words)]),
);

const found = JSON.parse(readFileSync(join(source, 'classes.json'), 'utf8'));
const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
const sorted = found.toSorted((a, b) => rank(a.name) - rank(b.name));
const names = new Set(sorted.map(({ name }) => name));
const classes = sorted.map(({ name, group, keywords = [] }) => ({
  name,
  group,
  keywords: synonyms.get(name) ?? ownWords(name, keywords),
}));
const taken = new Set(names);
for (const word of classes.flatMap(({ keywords }) => keywords)) {
  if (taken.size === taken.add(word).size) throw new Error(`build-atlas: "${word}" names more than one class`);
}

const cells = [];
for (const style of styles) {
  for (const { file } of sorted) cells.push(await cell(join(source, style, file)));
}

const columns = 16;
const [width, height] = [columns * side, Math.ceil(cells.length / columns) * side];
const pixels = new Uint8Array(width * height * 4);
cells.forEach((data, i) => {
  const corner = Math.floor(i / columns) * side * width + (i % columns) * side;
  for (let y = 0; y < side; y++) {
    pixels.set(data.subarray(y * side * 4, (y + 1) * side * 4), (corner + y * width) * 4);
  }
});
// Hardly visible pixels would take palette entries and bits for nothing.
for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] < 8) pixels.fill(0, at, at + 4);

const png = await sharp(pixels, { raw: { width, height, channels: 4 } })
  .png({ palette: true, quality: 100, dither: 0.25, effort: 10, compressionLevel: 9 })
  .toBuffer();
mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, 'atlas.png'), png);
// Laid out as Biome formats it.
const flat = (list) => `[${list.map((one) => JSON.stringify(one)).join(', ')}]`;
const lines = classes.map(
  ({ name, group, keywords }) => `    { "name": "${name}", "group": "${group}", "keywords": ${flat(keywords)} }`,
);
writeFileSync(
  join(values.out, 'atlas.json'),
  `{
  "format": "zeroseg-atlas",
  "version": 1,
  "side": ${side},
  "columns": ${columns},
  "styles": ${flat(styles)},
  "classes": [
${lines.join(',\n')}
  ]
}
`,
);
console.log(`${classes.length} classes x ${styles.length} styles, ${side} px: ${png.length} bytes`);

/** RGBA of one cut-out, trimmed and fitted into a cell. */
async function cell(file) {
  const clear = { r: 0, g: 0, b: 0, alpha: 0 };
  return sharp(file)
    .trim({ background: clear, threshold: 1 })
    .resize(side, side, { fit: 'contain', background: clear })
    .ensureAlpha()
    .raw()
    .toBuffer();
}

/** Keywords that no other class has; for classes the list above does not know. */
function ownWords(name, keywords) {
  const others = new Set(
    found.flatMap((other) => (other.name === name ? [] : [other.name, ...(other.keywords ?? [])])),
  );
  return keywords.filter((word) => word !== name && word !== `${name}s` && !others.has(word)).slice(0, 4);
}

function list(text) {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
