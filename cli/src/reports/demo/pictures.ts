/** Pictures of the demo's report as data URIs. */
import {
  type Drawing,
  type Explanation,
  type Film,
  type Findings,
  heroPicture,
  type Image,
  type ShownOutput,
  type ShownPhoto,
  type ShownScene,
  type StudentName,
} from '@zeroseg/core/zeroseg';
import { interLettering, rasterise } from '../../photos/index.ts';

/** Findings with every picture encoded, to stand in a page. */
export async function encodeFindings({
  hero,
  searched,
  scenes,
  explained,
  photo,
  film,
}: Findings): Promise<Findings<string>> {
  return {
    hero: await encodeScene(hero),
    searched,
    scenes: await Promise.all(scenes.map(encodeScene)),
    explained: await encode(explained, ['patches', 'groups', 'view'] satisfies (keyof Explanation)[]),
    photo: photo && (await encode(photo, ['picture', 'segments', 'named'] satisfies (keyof ShownPhoto)[])),
    film: film && (await encodeFilm(film)),
  };
}

async function encodeScene({ outputs, ...scene }: ShownScene): Promise<ShownScene<string>> {
  const encoded: [StudentName, ShownOutput<string>][] = [];
  for (const [name, output] of Object.entries(outputs) as [StudentName, ShownOutput][]) {
    encoded.push([name, await encode(output, ['segments', 'named', 'rightWrong'] satisfies (keyof ShownOutput)[])]);
  }
  return {
    ...(await encode(scene, ['picture', 'exact'] as const)),
    outputs: Object.fromEntries(encoded) as unknown as ShownScene<string>['outputs'],
  };
}

async function encodeFilm({ picture, frames }: Film): Promise<Film<string>> {
  return {
    picture: await webp(picture),
    frames: await Promise.all(frames.map((frame) => encode(frame, ['segments', 'named'] as const))),
  };
}

/** An object with some of its pictures encoded. */
async function encode<T extends object, K extends keyof T>(
  value: T,
  pictures: readonly K[],
): Promise<Omit<T, K> & Record<K, string>> {
  const encoded = await Promise.all(
    pictures.map(async (key) => [key, await webp(value[key] as Image | Drawing)] as const),
  );
  return { ...value, ...Object.fromEntries(encoded) } as Omit<T, K> & Record<K, string>;
}

async function webp(picture: Image | Drawing): Promise<string> {
  const bytes = await rasterise(picture).webp({ quality: 80 }).toBuffer();
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}

/** The clearest scene as one PNG: the scene, what was named, and the truth. */
export async function heroFile({ hero }: Findings): Promise<Uint8Array> {
  const { picture, exact, outputs } = hero;
  const { named, names, truth } = outputs.shipped;
  const row = heroPicture(
    [
      { picture, title: 'a scene it has never seen' },
      { picture: named, title: 'divided and named', names },
      { picture: exact, title: 'the truth', names: truth },
    ],
    interLettering(),
  );
  return rasterise(row).png({ compressionLevel: 9, palette: true, quality: 95 }).toBuffer();
}
