/** Fig. 3 of the paper: what models of different losses make of the same pictures. */
import type { Device } from '@zeroseg/core';
import { blankSheet, paste } from '@zeroseg/core/internal';
import {
  type Drawing,
  drawSegmentation,
  type LabelMap,
  type Scene,
  SceneStudent,
  type Shape,
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
export async function lossFigure({ device, scenes, names, vocabulary, models }: LossFigure): Promise<Drawing> {
  const lettering = interLettering();
  const draw = ({ image }: Scene, data: LabelMap['data']): Drawing =>
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
      const drawn: Drawing[] = [];
      for (const scene of scenes) {
        const labels = studentLabels(await student.predict(scene.image), vocabulary, { scoring: 'softmax', top: 5 });
        drawn.push(draw(scene, labels));
      }
      return drawn;
    });
    columns.push({ name, tiles });
  }
  const { width: side = 0, height = 0 } = columns[0]?.tiles[0] ?? {};
  const sheet = blankSheet(columns.length * (side + GAP) + GAP, HEAD + scenes.length * (height + GAP));
  const shapes: Shape[] = [];
  columns.forEach(({ name, tiles }, i) => {
    const left = GAP + i * (side + GAP);
    const { ascent } = lettering.measure(name, LETTERS);
    shapes.push({ kind: 'text', text: name, size: LETTERS, x: left, y: 6 + ascent, colour: [0, 0, 0] });
    tiles.forEach((tile, row) => {
      const top = HEAD + row * (height + GAP);
      paste(sheet, tile, left, top);
      shapes.push(...tile.shapes.map((shape) => ({ ...shape, x: shape.x + left, y: shape.y + top })));
    });
  });
  return { ...sheet, shapes };
}
