import { type Scene, SceneAtlas, SceneMaker, scenePresets } from '@zeroseg/core/zeroseg';
import { scenes as files } from '@zeroseg/pretrained';

/** The things that the built-in models have met, of those that can be drawn. */
const CLASSES = 40;

/** Side of a scene in pixels; the drawings hold little more. */
const SIDE = 256;

/** Draws scenes of what the built-in models know. The drawings are loaded with the first one. */
export class Scenes {
  #atlas: Promise<SceneAtlas> | undefined;

  /** Scene `seed` as a PNG, and what is in it. */
  async draw(seed: number): Promise<{ png: Blob; words: string[] }> {
    const maker = new SceneMaker(await this.atlas(), {
      ...scenePresets.crowded,
      classes: CLASSES,
      named: 1,
      size: SIDE,
    });
    const { image, labels } = maker.scene(seed, 0);
    return { png: await encodePng(image), words: wordsOf(maker, labels.data) };
  }

  /** The drawings that scenes are composed of. */
  async atlas(): Promise<SceneAtlas> {
    this.#atlas ??= (async () => {
      const [png, index] = await Promise.all([
        fetch(files.atlas).then((response) => response.arrayBuffer()),
        fetch(files.index).then((response) => response.json()),
      ]);
      return SceneAtlas.parse(new Uint8Array(png), index);
    })();
    this.#atlas.catch(() => {
      this.#atlas = undefined;
    });
    return this.#atlas;
  }
}

/** What is in a scene, most pixels first. */
function wordsOf({ names }: SceneMaker, labels: ArrayLike<number>): string[] {
  const counts = new Map<number, number>();
  for (let at = 0; at < labels.length; at++) counts.set(labels[at]!, (counts.get(labels[at]!) ?? 0) + 1);
  return [...counts]
    .filter(([label]) => label > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([label]) => names[label - 1] as string);
}

async function encodePng({ width, height, data }: Scene['image']): Promise<Blob> {
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) rgba.set(data.subarray(from, from + 3), to);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}
