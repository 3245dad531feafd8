/**
 * What surrounds objects: fourteen grounds with a name, and some without. All are procedural, drawn anew
 * for every scene: colours, sizes, phases and directions vary.
 */
import type { Random } from '../../../nn/layers/index.ts';
import type { Colour } from '../../image/index.ts';
import { anyColour, between, colourName } from '../colour.ts';
import { noise } from '../noise.ts';
import { brickWall, curtain, road, tiles, wood } from './built.ts';
import { fire, grass, leaves, night, sand, sky, snow, stones, water } from './outdoor.ts';
import { blend, type Canvas, eachPixel, fill, type Paint, ramp } from './pixels.ts';

/** A ground with a name: a procedural texture. */
export interface Ground {
  readonly name: string;
  /** Other words for it. */
  readonly keywords: readonly string[];
  /** How a caption says that something is there. */
  readonly places: readonly string[];
  /** What stands for it where labels are shown by colours. */
  readonly colour: Colour;
  readonly paint: Paint;
}

/** What is seen above and below a horizon. */
export const horizons: readonly (readonly [above: string, below: string])[] = [
  ...['sky', 'night'].flatMap((above) =>
    ['grass', 'water', 'sand', 'snow', 'road', 'leaves', 'stones'].map((below) => [above, below] as const),
  ),
  ['brick wall', 'wood'],
  ['brick wall', 'tiles'],
  ['brick wall', 'road'],
  ['curtain', 'wood'],
  ['curtain', 'tiles'],
];

/** All named grounds, in the order of labels. */
export const grounds: readonly Ground[] = [
  {
    name: 'sky',
    keywords: ['blue sky', 'clouds', 'cloudy sky'],
    places: ['in the sky', 'under a blue sky', 'under a cloudy sky', 'in front of a blue sky with clouds'],
    colour: [140, 205, 255],
    paint: sky,
  },
  {
    name: 'night',
    keywords: ['night sky', 'stars', 'starry sky'],
    places: ['at night', 'under a starry sky', 'in the night', 'under the stars', 'in a dark night with stars'],
    colour: [38, 44, 112],
    paint: night,
  },
  {
    name: 'grass',
    keywords: ['lawn', 'meadow', 'green grass'],
    places: ['on grass', 'on the grass', 'on a lawn', 'in a meadow', 'in green grass'],
    colour: [96, 186, 66],
    paint: grass,
  },
  {
    name: 'water',
    keywords: ['sea', 'lake', 'waves'],
    places: ['in water', 'in the water', 'on blue water', 'in the sea', 'on a lake', 'in the waves'],
    colour: [24, 112, 200],
    paint: water,
  },
  {
    name: 'sand',
    keywords: ['beach', 'desert', 'yellow sand'],
    places: ['on sand', 'in the sand', 'on a beach', 'in the desert', 'on yellow sand'],
    colour: [238, 208, 128],
    paint: sand,
  },
  {
    name: 'snow',
    keywords: ['white snow', 'snowfield'],
    places: ['in snow', 'in the snow', 'on white snow', 'on a snowfield'],
    colour: [240, 244, 250],
    paint: snow,
  },
  {
    name: 'brick wall',
    keywords: ['bricks', 'red bricks', 'wall of bricks'],
    places: ['in front of a brick wall', 'by a brick wall', 'against a wall of bricks', 'in front of red bricks'],
    colour: [186, 72, 54],
    paint: brickWall,
  },
  {
    name: 'wood',
    keywords: ['planks', 'wooden floor', 'wooden boards'],
    places: ['on wood', 'on a wooden floor', 'on planks', 'on brown wood', 'on wooden boards'],
    colour: [152, 98, 48],
    paint: wood,
  },
  {
    name: 'road',
    keywords: ['street', 'asphalt'],
    places: ['on a road', 'on the road', 'on the street', 'on grey asphalt'],
    colour: [88, 90, 98],
    paint: road,
  },
  {
    name: 'tiles',
    keywords: ['tiled floor', 'tiling'],
    places: ['on tiles', 'on a tiled floor', 'on the tiles', 'on tiling'],
    colour: [122, 206, 196],
    paint: tiles,
  },
  {
    name: 'fire',
    keywords: ['flames', 'blaze'],
    places: ['in fire', 'in front of a fire', 'in flames', 'in a blaze'],
    colour: [255, 120, 16],
    paint: fire,
  },
  {
    name: 'leaves',
    keywords: ['foliage', 'leafage'],
    places: ['in leaves', 'among leaves', 'on leaves', 'in the foliage', 'in leafage'],
    colour: [34, 96, 44],
    paint: leaves,
  },
  {
    name: 'stones',
    keywords: ['cobblestones', 'pebbles', 'rocks'],
    places: ['on stones', 'on grey stones', 'on cobblestones', 'among pebbles', 'on rocks'],
    colour: [168, 164, 152],
    paint: stones,
  },
  {
    name: 'curtain',
    keywords: ['drapes', 'drapery'],
    places: ['in front of a curtain', 'by a curtain', 'against drapes', 'in front of drapery'],
    colour: [140, 28, 84],
    paint: curtain,
  },
];

/** Paints a ground that has no name, and returns how a caption may say where things are. */
export function paintPlain(canvas: Canvas, draw: Random): string[] {
  const kind = draw();
  const first = anyColour(draw);
  const second = anyColour(draw);
  const turn = draw() * 6.2832;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  if (kind < 0.3) {
    fill(canvas, first);
    const name = colourName(first);
    const bare = ['on a plain background', 'in front of a plain wall', 'on a blank page'];
    return name ? [`on a plain ${name} background`, `on a ${name} background`, ...bare] : bare;
  }
  if (kind < 0.55) {
    eachPixel(canvas, (u, v, set) => {
      blend(set, first, second, ramp(0.5 + cos * (u - 0.5) + sin * (v - 0.5)));
    });
    return ['on a background of two colours', 'on a smooth background', 'on a plain background'];
  }
  if (kind < 0.75) {
    const [x0, y0, fineness] = [draw() * 128, draw() * 128, between(draw, 3, 30)];
    eachPixel(canvas, (u, v, set) => {
      blend(set, first, second, noise(u * fineness + x0, v * fineness + y0));
    });
    return ['on a blurry background', 'on a spotted background', 'on a background of random spots'];
  }
  const count = between(draw, 3, 8);
  const phase = draw();
  if (kind < 0.9) {
    eachPixel(canvas, (u, v, set) => {
      const t = (cos * u + sin * v) * count + phase;
      blend(set, first, second, t - Math.floor(t) < 0.5 ? 0 : 1);
    });
    return ['on a striped background', 'in front of stripes', 'on a background of stripes'];
  }
  eachPixel(canvas, (u, v, set) => {
    const t = Math.floor((cos * u + sin * v) * count + phase) + Math.floor((cos * v - sin * u) * count + phase);
    blend(set, first, second, t & 1);
  });
  return ['on a checked background', 'on a chequered background', 'on a checkerboard'];
}
