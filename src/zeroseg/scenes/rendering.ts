/** Other ways to draw a cut-out, so that who learns from scenes does not take a drawing style's colours and shading for the thing. */
import type { Random } from '../../nn/layers/index.ts';
import { between, drawColour, pick } from './colour.ts';
import { type ColourMatrix, jitterColours, lightness } from './colour-matrix.ts';

const others = ['grey', 'hue', 'duotone', 'flat', 'outline', 'inked'] as const;

/**
 * How an object is drawn. `drawn`: as in the atlas. `grey`: without colours. `hue`: with other ones. `duotone`: lightness alone, from one
 * colour to another. `flat`: in few tones, without shading. `outline`: dark lines on light paper, or light ones on dark, in two colours.
 * `inked`: in few tones, with black lines.
 */
export type Rendering = 'drawn' | (typeof others)[number];

/** One other than `drawn` for a fraction `redrawn` of objects. */
export function drawRendering(draw: Random, redrawn: number): Rendering {
  // Without it nothing more is drawn: a seed's scenes stay what they are.
  return redrawn > 0 && draw() < redrawn ? pick(draw, others) : 'drawn';
}

/** An object's colours in a rendering, changed with strength `jitter`. */
export function drawColours(draw: Random, rendering: Rendering, jitter: number): ColourMatrix {
  if (rendering === 'duotone' || rendering === 'outline') return twoColours(draw);
  if (rendering === 'grey') return jitterColours(draw, jitter, { saturation: 0 });
  return jitterColours(draw, jitter, rendering === 'hue' ? { turn: between(draw, 0, 2 * Math.PI) } : {});
}

/** Black becomes a dark colour and white a light one, or in one of five the other way round. */
function twoColours(draw: Random): ColourMatrix {
  const dark = drawColour(draw, [0, 1], [0, 0.9], [0.05, 0.4]);
  const light = drawColour(draw, [0, 1], [0, 0.5], [0.75, 1]);
  const [from, to] = draw() < 0.2 ? [light, dark] : [dark, light];
  return [0, 1, 2].flatMap((c) => [
    ...lightness.map((weight) => (weight * (to[c]! - from[c]!)) / 255),
    from[c]!,
  ]) as unknown as ColourMatrix;
}

/** The renderings whose pixels differ from the atlas'; of the others colours alone make the difference. */
const redrawings: Partial<Record<Rendering, (pixels: Uint8Array, side: number) => Uint8Array>> = {
  flat,
  outline,
  inked,
};

/** The rendering that a cut-out's pixels are of. */
export function pixelsOf(rendering: Rendering): Rendering {
  return redrawings[rendering] ? rendering : 'drawn';
}

/** RGBA `[side, side, 4]` of a cut-out, drawn anew; transparency stays. */
export function redraw(pixels: Uint8Array, side: number, rendering: Rendering): Uint8Array {
  return redrawings[rendering]?.(pixels, side) ?? pixels;
}

/** Tones of a channel in a flat drawing. */
const TONES = 3;

/** The mean of each pixel and its opaque neighbours, in few tones. */
function flat(pixels: Uint8Array, side: number): Uint8Array {
  const out = Uint8Array.from(pixels);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const sum = [0, 0, 0];
      let count = 0;
      for (let v = Math.max(0, y - 1); v <= Math.min(side - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u++) {
          const at = (v * side + u) * 4;
          if (pixels[at + 3]! < 128) continue;
          count++;
          for (let c = 0; c < 3; c++) sum[c]! += pixels[at + c]!;
        }
      }
      if (count === 0) continue;
      for (let c = 0; c < 3; c++) {
        out[(y * side + x) * 4 + c] = (Math.round((sum[c]! / count / 255) * (TONES - 1)) * 255) / (TONES - 1);
      }
    }
  }
  return out;
}

/** The step of lightness from one pixel to the next, over three, that is a line in full. */
const EDGE = 80;

/** How much of a line `[side, side]`, in 0..1, goes through each pixel: where lightness changes fast, and along the border. */
function lines(pixels: Uint8Array, side: number): Float32Array {
  // Beyond the border it is as dark as nothing else, so that there is a line.
  const light = (x: number, y: number) => {
    const at = (y * side + x) * 4;
    if (x < 0 || y < 0 || x >= side || y >= side || pixels[at + 3]! < 128) return -255;
    return lightness[0] * pixels[at]! + lightness[1] * pixels[at + 1]! + lightness[2] * pixels[at + 2]!;
  };
  return Float32Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    return Math.min(1, Math.hypot(light(x + 1, y) - light(x - 1, y), light(x, y + 1) - light(x, y - 1)) / 2 / EDGE);
  });
}

/** Black lines on white. */
function outline(pixels: Uint8Array, side: number): Uint8Array {
  const out = Uint8Array.from(pixels);
  for (const [i, line] of lines(pixels, side).entries()) out.fill(255 * (1 - line), i * 4, i * 4 + 3);
  return out;
}

/** Black lines on few tones; what is a line in full, as the border is, is three pixels wide. */
function inked(pixels: Uint8Array, side: number): Uint8Array {
  const out = flat(pixels, side);
  const drawn = lines(pixels, side);
  drawn.forEach((line, i) => {
    const beside = Math.max(line, drawn[i - 1] ?? 0, drawn[i + 1] ?? 0, drawn[i - side] ?? 0, drawn[i + side] ?? 0);
    const ink = beside === 1 ? 1 : line;
    for (let c = 0; c < 3; c++) out[i * 4 + c] = out[i * 4 + c]! * (1 - ink);
  });
  return out;
}
