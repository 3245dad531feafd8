import { between, drawColour } from '../colour.ts';
import { layeredNoise, noise, noiseAt } from '../noise.ts';
import { eachPixel, fill, mix, type Paint, ramp } from './pixels.ts';

export const sky: Paint = (canvas, draw) => {
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

export const night: Paint = (canvas, draw) => {
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

export const grass: Paint = (canvas, draw) => {
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

export const water: Paint = (canvas, draw) => {
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

export const sand: Paint = (canvas, draw) => {
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

export const snow: Paint = (canvas, draw) => {
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

export const fire: Paint = (canvas, draw) => {
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

export const leaves: Paint = (canvas, draw) => {
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

export const stones: Paint = (canvas, draw) => {
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
