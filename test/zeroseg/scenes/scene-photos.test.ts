import { expect, it } from 'vitest';
import { readStamped } from '../../../src/zeroseg/features/photo-source.ts';
import { SceneMaker } from '../../../src/zeroseg/scenes/scene.ts';
import { scenePhotos } from '../../../src/zeroseg/scenes/scene-photos.ts';
import { packagedAtlas } from '../../support/atlas.ts';

it('gives the scenes of a seed as photos, the same each time', async () => {
  const maker = new SceneMaker(await packagedAtlas(), { size: 32, classes: 5 });
  const read = async () => {
    const source = scenePhotos(maker, { seed: 3, count: 2 });
    const photos = [];
    for await (const photo of source.photos) photos.push(photo);
    return Promise.all(
      photos.map(async (photo) => {
        const { stamp, bytes } = await readStamped(photo);
        return { stamp, image: await source.decode(bytes, photo.path) };
      }),
    );
  };
  const [first, second] = await read();
  expect(first?.stamp.path).toBe('scene-000000');
  expect(first?.image).toEqual({ width: 32, height: 32, data: new Uint8Array(maker.scene(3, 0).image.data) });
  expect(second?.image.data).toEqual(new Uint8Array(maker.scene(3, 1).image.data));
  expect(second?.stamp.hash).not.toBe(first?.stamp.hash);
  expect(await read()).toEqual([first, second]);
});
