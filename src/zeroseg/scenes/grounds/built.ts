import { hsv } from '../../image/index.ts';
import { between, drawColour, pick } from '../colour.ts';
import { noise, noiseAt } from '../noise.ts';
import { eachPixel, type Paint, ramp } from './pixels.ts';

export const brickWall: Paint = (canvas, draw) => {
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

export const wood: Paint = (canvas, draw) => {
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

export const road: Paint = (canvas, draw) => {
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

export const tiles: Paint = (canvas, draw) => {
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

export const curtain: Paint = (canvas, draw) => {
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
