/** Pictures of the demo's report as data URIs. */
import type { Drawing, Findings, Image } from '@zeroseg/core/zeroseg';
import { rasterise } from '../photos/index.ts';

/** Findings with every picture encoded, to stand in a page. */
export async function encodeFindings({ scenes, explained, photo, film, legend }: Findings): Promise<Findings<string>> {
  return {
    legend,
    scenes: await Promise.all(
      scenes.map(async ({ outputs, ...scene }) => ({
        ...scene,
        picture: await webp(scene.picture),
        exact: await webp(scene.exact),
        outputs: {
          shipped: await encodeParts(outputs.shipped),
          fresh: await encodeParts(outputs.fresh),
          start: await encodeParts(outputs.start),
        },
      })),
    ),
    explained: {
      ...explained,
      patches: await webp(explained.patches),
      groups: await webp(explained.groups),
      view: await webp(explained.view),
    },
    photo: { ...(await encodeParts(photo)), picture: await webp(photo.picture) },
    film: { picture: await webp(film.picture), frames: await Promise.all(film.frames.map(encodeParts)) },
  };
}

interface Parts<P> {
  readonly segments: P;
  readonly named: P;
}

async function encodeParts<T extends Parts<Image>>(output: T): Promise<Omit<T, keyof Parts<Image>> & Parts<string>> {
  return { ...output, segments: await webp(output.segments), named: await webp(output.named) };
}

async function webp(picture: Image | Drawing): Promise<string> {
  const bytes = await rasterise(picture).webp({ quality: 80 }).toBuffer();
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}
