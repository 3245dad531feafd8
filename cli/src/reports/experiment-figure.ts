/** Fig. 3 of the paper: what models of different losses make of the same pictures. */
import type { Device } from '@zeroseg/core';
import {
  drawSegmentation,
  type Image,
  type LabelMap,
  type Scene,
  SceneStudent,
  studentLabels,
  type Vocabulary,
  type ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { interLettering } from '../photos/index.ts';

export interface LossFigure {
  readonly device: Device;
  /** At least one, all of one size. */
  readonly scenes: readonly Scene[];
  readonly names: readonly string[];
  readonly vocabulary: Vocabulary;
  /** Columns: a title, and a model for as long as it is used. */
  readonly models: readonly {
    readonly name: string;
    use<T>(work: (model: ZeroSeg) => Promise<T>): Promise<T>;
  }[];
}

const GAP = 8;
const HEAD = 34;
const LETTERS = 20;

/** Draws a sheet: a row for each scene; the picture with its true labels, then the labels of each model. */
export async function lossFigure({ device, scenes, names, vocabulary, models }: LossFigure): Promise<Image> {
  const lettering = interLettering();
  const draw = ({ image }: Scene, data: LabelMap['data']): Image =>
    drawSegmentation(
      image,
      { width: image.width, height: image.height, data },
      { names: [undefined, ...names], lettering, legend: false },
    );
  const columns = [
    { name: 'picture', tiles: scenes.map((scene) => draw(scene, new Uint8Array(scene.labels.data.length))) },
    { name: 'what is there', tiles: scenes.map((scene) => draw(scene, scene.labels.data)) },
  ];
  for (const { name, use } of models) {
    const tiles = await use(async (model) => {
      using student = await SceneStudent.create(device, model, scenes[0]?.image.width);
      const drawn: Image[] = [];
      for (const scene of scenes) {
        const labels = studentLabels(await student.predict(scene.image), vocabulary, { scoring: 'softmax', top: 5 });
        drawn.push(draw(scene, labels));
      }
      return drawn;
    });
    columns.push({ name, tiles });
  }
  const { width: side = 0, height = 0 } = columns[0]?.tiles[0] ?? {};
  const sheet = {
    width: columns.length * (side + GAP) + GAP,
    height: HEAD + scenes.length * (height + GAP),
    data: new Uint8Array(0),
  };
  sheet.data = new Uint8Array(3 * sheet.width * sheet.height).fill(255);
  columns.forEach(({ name, tiles }, i) => {
    const left = GAP + i * (side + GAP);
    const text = lettering.line(name, LETTERS);
    text.coverage.forEach((covered, at) => {
      const pixel = (6 + Math.floor(at / text.width)) * sheet.width + left + (at % text.width);
      sheet.data.fill(255 - covered, 3 * pixel, 3 * pixel + 3);
    });
    tiles.forEach((tile, row) => {
      for (let y = 0; y < tile.height; y++) {
        const from = 3 * y * tile.width;
        const to = (HEAD + row * (height + GAP) + y) * sheet.width + left;
        sheet.data.set(tile.data.subarray(from, from + 3 * tile.width), 3 * to);
      }
    });
  });
  return sheet;
}
