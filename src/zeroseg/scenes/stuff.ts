/**
 * What surrounds objects: fourteen named textures ("stuff"), and grounds without a name. All are procedural, drawn anew
 * for every scene: colours, sizes, phases and directions vary.
 */
import type { Random } from '../../nn/layers/index.ts';
import { type Colour, hsv } from '../image/index.ts';
import { anyColour, between, colourName, drawColour, pick } from './colour.ts';
import { layeredNoise, noise, noiseAt } from './noise.ts';

/** Rows `from` to `to` (not included) of a square picture of `size` pixels, RGB. */
export interface Canvas {
  readonly data: Uint8Array;
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Paints all pixels of a canvas. */
type Paint = (canvas: Canvas, draw: Random) => void;

/** A named surrounding. */
export interface Stuff {
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

const sky: Paint = (canvas, draw) => {
  const top = drawColour(draw, [0.55, 0.61], [0.55, 0.85], [0.7, 0.95]);
  const bottom = drawColour(draw, [0.53, 0.59], [0.2, 0.45], [0.9, 1]);
  const [x0, y0, fineness] = [draw() * 128, draw() * 128, between(draw, 2.2, 3.6)];
  const cover = between(draw, 0.42, 0.6);
  eachPixel(canvas, (u, v, set) => {
    const cloud = ramp((layeredNoise(u * fineness + x0, v * fineness * 2 + y0, 4) - cover) * 6);
    const light = 255 - 25 * v;
    set(
      mix(mix(top[0], bottom[0], v), light, cloud),
      mix(mix(top[1], bottom[1], v), light, cloud),
      mix(mix(top[2], bottom[2], v), 255, cloud),
    );
  });
};

const night: Paint = (canvas, draw) => {
  const top = drawColour(draw, [0.62, 0.7], [0.6, 0.9], [0.08, 0.18]);
  const bottom = drawColour(draw, [0.62, 0.74], [0.5, 0.8], [0.2, 0.36]);
  const [x0, y0] = [draw() * 128, draw() * 128];
  eachPixel(canvas, (u, v, set) => {
    const glow = 0.7 + 0.6 * noise(u * 3 + x0, v * 3 + y0);
    set(mix(top[0], bottom[0], v) * glow, mix(top[1], bottom[1], v) * glow, mix(top[2], bottom[2], v) * glow);
  });
  const { data, size, from, to } = canvas;
  const stars = Math.round(between(draw, 35, 80));
  for (let i = 0; i < stars; i++) {
    const light = between(draw, 110, 255);
    // A star is as large at 128 pixels as at 64, only sharper.
    const width = Math.max(1, Math.round((size / 64) * (draw() < 0.2 ? 1.7 : 1)));
    const left = Math.floor(draw() * size);
    const high = Math.floor(draw() * size);
    for (let y = Math.max(high, from); y < Math.min(high + width, to); y++) {
      for (let x = left; x < Math.min(left + width, size); x++) {
        const at = (y * size + x) * 3;
        data[at] = Math.max(data[at]!, light);
        data[at + 1] = Math.max(data[at + 1]!, light);
        data[at + 2] = Math.max(data[at + 2]!, light * 0.9);
      }
    }
  }
};

const grass: Paint = (canvas, draw) => {
  const dark = drawColour(draw, [0.27, 0.35], [0.6, 0.85], [0.22, 0.36]);
  const light = drawColour(draw, [0.2, 0.3], [0.5, 0.8], [0.6, 0.82]);
  const [x0, y0] = [draw() * 128, draw() * 128];
  const [across, along, lean] = [between(draw, 26, 42), between(draw, 5, 10), between(draw, -0.25, 0.25)];
  eachPixel(canvas, (u, v, set) => {
    const blade = noise((u + lean * v) * across + x0, v * along + y0);
    const patch = noise(u * 4 + y0, v * 4 + x0);
    const t = ramp(1.5 * blade - 0.45 + 0.4 * patch);
    set(mix(dark[0], light[0], t), mix(dark[1], light[1], t), mix(dark[2], light[2], t));
  });
};

const water: Paint = (canvas, draw) => {
  const deep = drawColour(draw, [0.5, 0.6], [0.7, 0.95], [0.4, 0.65]);
  const light = drawColour(draw, [0.48, 0.55], [0.35, 0.6], [0.8, 0.98]);
  const [x0, y0] = [draw() * 128, draw() * 128];
  const [waves, phase] = [between(draw, 50, 80), draw() * 6.28];
  eachPixel(canvas, (u, v, set) => {
    const bend = layeredNoise(u * 4 + x0, v * 7 + y0, 2);
    const wave = 0.5 + 0.5 * Math.sin(v * waves + bend * 14 + phase);
    const t = wave * wave * (0.35 + 0.65 * noise(u * 5 + y0, v * 16 + x0));
    const foam = t > 0.72 ? (t - 0.72) * 2.5 : 0;
    set(
      mix(mix(deep[0], light[0], t), 255, foam),
      mix(mix(deep[1], light[1], t), 255, foam),
      mix(mix(deep[2], light[2], t), 255, foam),
    );
  });
};

const sand: Paint = (canvas, draw) => {
  const base = drawColour(draw, [0.1, 0.13], [0.32, 0.5], [0.8, 0.95]);
  const [x0, y0] = [draw() * 128, draw() * 128];
  const [dunes, lean, phase] = [between(draw, 14, 34), between(draw, -0.6, 0.6), draw() * 6.28];
  const depth = between(draw, 0.04, 0.1);
  eachPixel(canvas, (u, v, set) => {
    const bend = noise(u * 3 + x0, v * 3 + y0);
    const wave = Math.sin((v + lean * u) * dunes + bend * 7 + phase);
    const grain = noise(u * 61 + x0, v * 61 + y0) - 0.5;
    const light = 0.95 + depth * wave + 0.22 * grain;
    set(base[0] * light, base[1] * light, base[2] * light);
  });
};

const snow: Paint = (canvas, draw) => {
  const shade = drawColour(draw, [0.56, 0.64], [0.16, 0.3], [0.78, 0.88]);
  const [x0, y0, fineness] = [draw() * 128, draw() * 128, between(draw, 3, 5)];
  eachPixel(canvas, (u, v, set) => {
    const heap = layeredNoise(u * fineness + x0, v * fineness * 1.6 + y0, 2);
    const below = layeredNoise(u * fineness + x0, (v + 0.03) * fineness * 1.6 + y0, 2);
    // Lit from above: what falls away is in shadow.
    const t = ramp(0.8 + (heap - below) * 7);
    const glitter = noise(u * 57 + y0, v * 57 + x0) > 0.93 ? 0.6 : 0;
    set(
      mix(shade[0], 250, Math.max(t, glitter)),
      mix(shade[1], 252, Math.max(t, glitter)),
      mix(shade[2], 255, Math.max(t, glitter)),
    );
  });
};

const brickWall: Paint = (canvas, draw) => {
  const brick = drawColour(draw, [0.99, 1.06], [0.5, 0.75], [0.5, 0.78]);
  const mortar = drawColour(draw, [0.06, 0.12], [0.04, 0.16], [0.72, 0.9]);
  const rows = between(draw, 7, 12);
  const columns = rows * between(draw, 0.42, 0.55);
  const [x0, y0] = [Math.floor(draw() * 128) + draw(), Math.floor(draw() * 128) + draw()];
  const joint = between(draw, 0.12, 0.18);
  eachPixel(canvas, (u, v, set) => {
    const y = v * rows + y0;
    const row = Math.floor(y);
    const x = u * columns + x0 + (row & 1) * 0.5;
    const column = Math.floor(x);
    const flat = y - row < joint || x - column < joint * 0.5;
    const light = flat ? 1 : 0.78 + 0.4 * noiseAt(column, row) + 0.12 * noise(u * 47 + x0, v * 47 + y0) - 0.06;
    const colour = flat ? mortar : brick;
    set(colour[0] * light, colour[1] * light, colour[2] * light);
  });
};

const wood: Paint = (canvas, draw) => {
  const base = drawColour(draw, [0.065, 0.095], [0.5, 0.72], [0.5, 0.78]);
  const planks = between(draw, 3, 6);
  const upright = draw() < 0.4;
  const [x0, y0] = [Math.floor(draw() * 128) + draw(), Math.floor(draw() * 128) + draw()];
  eachPixel(canvas, (u, v, set) => {
    const across = (upright ? u : v) * planks + y0;
    const along = (upright ? v : u) + x0;
    const plank = Math.floor(across);
    const own = noiseAt(plank, 3);
    const end = along * 1.3 + own * 7;
    const gap = across - plank < 0.08 || end - Math.floor(end) < 0.02;
    const bend = noise(along * 2 + own * 40, across * 2);
    const rings = 0.5 + 0.5 * Math.sin(across * 22 + bend * 9);
    const fibre = noise(along * 5, across * 14);
    const light = gap ? 0.4 : 0.72 + 0.3 * own + 0.12 * rings + 0.2 * (fibre - 0.5);
    set(base[0] * light, base[1] * light, base[2] * light);
  });
};

const road: Paint = (canvas, draw) => {
  const base = drawColour(draw, [0.55, 0.7], [0, 0.1], [0.28, 0.46]);
  const line = draw() < 0.5 ? [240, 240, 235] : [245, 200, 40];
  const [x0, y0] = [draw() * 128, draw() * 128];
  const turned = draw() < 0.35;
  const [place, lean] = [between(draw, 0.25, 0.75), between(draw, -0.5, 0.5)];
  const [width, dash, phase] = [between(draw, 0.03, 0.05), between(draw, 2.5, 4.5), draw()];
  eachPixel(canvas, (u, v, set) => {
    const along = turned ? u : v;
    const off = (turned ? v : u) - place - lean * (along - 0.5);
    const step = along * dash + phase;
    if (Math.abs(off) < width && step - Math.floor(step) < 0.62) return set(line[0]!, line[1]!, line[2]!);
    const grain = noise(u * 63 + x0, v * 63 + y0) - 0.5;
    const light = 1 + 0.55 * grain + 0.3 * (noise(u * 4 + y0, v * 4 + x0) - 0.5);
    set(base[0] * light, base[1] * light, base[2] * light);
  });
};

const tiles: Paint = (canvas, draw) => {
  const tile = pick(draw, [
    () => drawColour(draw, [0.48, 0.62], [0.2, 0.55], [0.75, 0.95]),
    () => drawColour(draw, [0.08, 0.14], [0.05, 0.2], [0.86, 0.97]),
    () => drawColour(draw, [0.38, 0.48], [0.15, 0.4], [0.7, 0.9]),
  ])();
  const grout = drawColour(draw, [0.5, 0.65], [0, 0.15], [0.3, 0.55]);
  const count = between(draw, 4.5, 8);
  const [x0, y0] = [Math.floor(draw() * 128) + draw(), Math.floor(draw() * 128) + draw()];
  const joint = between(draw, 0.1, 0.15);
  eachPixel(canvas, (u, v, set) => {
    const x = u * count + x0;
    const y = v * count + y0;
    const column = Math.floor(x);
    const row = Math.floor(y);
    const flat = x - column < joint || y - row < joint;
    // A gleam in each tile's upper left corner.
    const gleam = flat ? 0 : ramp(0.75 - (x - column + (y - row)) * 0.8) * 70;
    const light = flat ? 1 : 0.88 + 0.14 * noiseAt(column, row);
    const colour = flat ? grout : tile;
    set(colour[0] * light + gleam, colour[1] * light + gleam, colour[2] * light + gleam);
  });
};

const fire: Paint = (canvas, draw) => {
  const [x0, y0] = [draw() * 128, draw() * 128];
  const [across, along, heat] = [between(draw, 5, 8), between(draw, 2, 3.2), between(draw, 0.3, 0.55)];
  const lean = between(draw, -0.2, 0.2);
  eachPixel(canvas, (u, v, set) => {
    const bend = noise(u * 4 + y0, v * 4 + x0) - 0.5;
    const tongue = layeredNoise((u + lean * v) * across + bend * 1.4 + x0, v * along + y0, 3);
    const t = ramp((tongue - 0.28) * 1.7 + (v - 0.5) * heat);
    // Black, dark red, orange, yellow, nearly white.
    set(40 + 260 * t, t < 0.35 ? 10 + 60 * t : 31 + 330 * (t - 0.35), t < 0.75 ? 8 + 30 * t : 30 + 640 * (t - 0.75));
  });
};

const leaves: Paint = (canvas, draw) => {
  const autumn = draw() < 0.35;
  const ground = autumn
    ? drawColour(draw, [0.03, 0.08], [0.5, 0.7], [0.2, 0.32])
    : drawColour(draw, [0.3, 0.42], [0.5, 0.8], [0.12, 0.24]);
  fill(canvas, ground);
  const { data, size, from, to } = canvas;
  const length = between(draw, 0.1, 0.17) * size;
  const count = Math.round((2.4 * size * size) / (length * length));
  for (let i = 0; i < count; i++) {
    const colour = autumn
      ? drawColour(draw, [0, 0.13], [0.7, 0.95], [0.5, 0.95])
      : drawColour(draw, [0.25, 0.38], [0.5, 0.85], [0.3, 0.75]);
    const [x, y, turn] = [draw() * size, draw() * size, draw() * 6.2832];
    const reach = length * between(draw, 0.8, 1.2);
    const [cos, sin] = [Math.cos(turn) / reach, Math.sin(turn) / reach];
    const last = Math.min(to - 1, Math.floor(y + reach));
    for (let py = Math.max(from, Math.ceil(y - reach)); py <= last; py++) {
      const right = Math.min(size - 1, Math.floor(x + reach));
      for (let px = Math.max(0, Math.ceil(x - reach)); px <= right; px++) {
        const s = cos * (px - x) + sin * (py - y);
        const t = Math.abs(cos * (py - y) - sin * (px - x));
        // Pointed at both ends, with a lighter vein.
        if (t > 0.42 * (1 - s * s)) continue;
        const light = t < 0.06 ? 1.25 : 1 - 0.35 * t - 0.12 * s;
        const at = (py * size + px) * 3;
        data[at] = Math.min(255, colour[0] * light);
        data[at + 1] = Math.min(255, colour[1] * light);
        data[at + 2] = Math.min(255, colour[2] * light);
      }
    }
  }
};

const stones: Paint = (canvas, draw) => {
  const base = drawColour(draw, [0.05, 0.65], [0.02, 0.14], [0.5, 0.75]);
  const count = between(draw, 5, 8.5);
  const [x0, y0] = [Math.floor(draw() * 128) + draw(), Math.floor(draw() * 128) + draw()];
  const joint = between(draw, 0.09, 0.16);
  eachPixel(canvas, (u, v, set) => {
    const x = u * count + x0;
    const y = v * count + y0;
    const column = Math.floor(x);
    const row = Math.floor(y);
    let nearest = 9;
    let second = 9;
    let own = 0;
    for (let j = -1; j <= 1; j++) {
      for (let i = -1; i <= 1; i++) {
        const dx = column + i + 0.15 + 0.7 * noiseAt(column + i, row + j) - x;
        const dy = row + j + 0.15 + 0.7 * noiseAt(row + j + 50, column + i) - y;
        const distance = dx * dx + dy * dy;
        if (distance < nearest) {
          second = nearest;
          nearest = distance;
          own = noiseAt(column + i + 31, row + j + 77);
        } else if (distance < second) second = distance;
      }
    }
    const edge = Math.sqrt(second) - Math.sqrt(nearest);
    const light =
      edge < joint
        ? 0.3
        : 0.7 + 0.5 * own + 0.25 * Math.min(edge, 0.5) - 0.1 + 0.2 * (noise(u * 40 + x0, v * 40 + y0) - 0.5);
    set(base[0] * light, base[1] * light, base[2] * light);
  });
};

const curtain: Paint = (canvas, draw) => {
  const cloth = hsv(
    draw() < 0.6 ? between(draw, 0.94, 1.02) : draw(),
    between(draw, 0.6, 0.9),
    between(draw, 0.6, 0.9),
  );
  const [x0, folds, phase] = [draw() * 128, between(draw, 26, 46), draw() * 6.28];
  const hang = between(draw, 0.3, 1);
  eachPixel(canvas, (u, v, set) => {
    const bend = noise(u * 4 + x0, v * hang + x0);
    const fold = 0.5 + 0.5 * Math.sin(u * folds + bend * 9 + phase);
    const light = 0.32 + 0.85 * fold - 0.25 * fold * fold * fold;
    set(cloth[0] * light, cloth[1] * light, cloth[2] * light);
  });
};

/** All named stuff, in the order of labels. */
export const stuffs: readonly Stuff[] = [
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

type SetPixel = (red: number, green: number, blue: number) => void;

/** Calls `pixel` with the place of every pixel's middle, in 0..1, and a function that sets its colour, clamped. */
function eachPixel({ data, size, from, to }: Canvas, pixel: (u: number, v: number, set: SetPixel) => void): void {
  let at = from * size * 3;
  const set = (red: number, green: number, blue: number): void => {
    data[at] = red < 0 ? 0 : red > 255 ? 255 : red;
    data[at + 1] = green < 0 ? 0 : green > 255 ? 255 : green;
    data[at + 2] = blue < 0 ? 0 : blue > 255 ? 255 : blue;
  };
  for (let y = from; y < to; y++) {
    const v = (y + 0.5) / size;
    for (let x = 0; x < size; x++, at += 3) pixel((x + 0.5) / size, v, set);
  }
}

function fill({ data, size, from, to }: Canvas, [red, green, blue]: Colour): void {
  for (let at = from * size * 3; at < to * size * 3; at += 3) {
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
  }
}

function blend(set: SetPixel, a: Colour, b: Colour, t: number): void {
  set(mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t));
}

function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

/** Clamped to 0..1. */
function ramp(t: number): number {
  return t < 0 ? 0 : t > 1 ? 1 : t;
}
