import { SceneAtlas } from '../../src/zeroseg/scenes/atlas.ts';

const pictures = import.meta.glob('/pretrained/scenes/atlas.png', { query: '?url&inline', import: 'default' });
const indices = import.meta.glob('/pretrained/scenes/atlas.json', { import: 'default' });

/** The atlas of the package, as `loadAtlas` of `cli/src/photos` reads it. */
export async function packagedAtlas(): Promise<SceneAtlas> {
  const url = (await pictures['/pretrained/scenes/atlas.png']?.()) as string;
  const text = atob(url.slice(url.indexOf(',') + 1));
  return SceneAtlas.parse(
    Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
    await indices['/pretrained/scenes/atlas.json']?.(),
  );
}
