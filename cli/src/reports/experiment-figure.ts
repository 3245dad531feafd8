/** Fig. 3 of the paper: what models of different losses make of the same pictures. */
import type { Device } from '@zeroseg/core';
import type { Colour } from '@zeroseg/core/internal';
import {
  type Drawing,
  drawSegmentation,
  type LabelMap,
  nameColours,
  type Scene,
  SceneStudent,
  studentLabels,
  type Vocabulary,
  type ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { interLettering } from '../photos/index.ts';
import { columnSheet } from './column-sheet.ts';

export interface LossFigure {
  readonly device: Device;
  /** At least one, all of one size. */
  readonly scenes: readonly Scene[];
  readonly names: readonly string[];
  readonly vocabulary: Vocabulary;
  /** Columns: a title, and a model for as long as it is used. Segments that score less than a `threshold` are background. */
  readonly models: readonly {
    readonly name: string;
    readonly threshold?: number | undefined;
    use<T>(work: (model: ZeroSeg) => Promise<T>): Promise<T>;
  }[];
}

/** Draws a sheet: a row for each scene; the picture with its true labels, then the labels of each model. */
export async function lossFigure({ device, scenes, names, vocabulary, models }: LossFigure): Promise<Drawing> {
  const lettering = interLettering();
  const maps = [
    { name: 'picture', labels: scenes.map(({ labels }) => new Uint8Array(labels.data.length) as LabelMap['data']) },
    { name: 'what is there', labels: scenes.map(({ labels }) => labels.data) },
  ];
  for (const { name, threshold, use } of models) {
    const labels = await use(async (model) => {
      using student = await SceneStudent.create(device, model, scenes[0]?.image.width);
      const found: LabelMap['data'][] = [];
      for (const { image } of scenes) {
        found.push(studentLabels(await student.predict(image), vocabulary, { scoring: 'softmax', top: 5, threshold }));
      }
      return found;
    });
    maps.push({ name, labels });
  }
  const colours = scenes.map((_, row) => {
    // A name has one colour in all pictures of a scene.
    const those = [...new Set(maps.flatMap(({ labels }) => [...(labels[row] ?? [])]))].filter((label) => label > 0);
    const own = nameColours(those.map((label) => names[label - 1] as string));
    return new Map(those.map((label, i) => [label, own[i] as Colour]));
  });
  const columns = maps.map(({ name, labels }) => ({
    name,
    tiles: scenes.map(({ image: { width, height }, image }, row) =>
      drawSegmentation(
        image,
        { width, height, data: labels[row] as LabelMap['data'] },
        {
          names: [undefined, ...names],
          lettering,
          legend: false,
          colour: (label) => colours[row]?.get(label) as Colour,
        },
      ),
    ),
  }));
  return columnSheet(columns);
}
