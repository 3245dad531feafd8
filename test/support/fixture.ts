/// <reference types="vite/types/importMeta.d.ts" />

/** One tensor of a fixture: row by row, in its own type. */
export interface FixtureTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** A fixture: its manifest (whose form belongs to its family) and its tensors by name. */
export interface Fixture {
  // biome-ignore lint/suspicious/noExplicitAny: every family of fixtures has a manifest of its own form
  readonly manifest: any;
  readonly tensors: ReadonlyMap<string, FixtureTensor>;
  /** The tensor of that name; throws when there is none. */
  get(name: string): FixtureTensor;
}

// Vite turns both into modules, in Node as in a browser: no path, no fetch, no file system.
const manifests = import.meta.glob('../fixtures/**/*.json', { import: 'default' });
const files = import.meta.glob('../fixtures/**/*.safetensors', { query: '?url&inline', import: 'default' });

/**
 * Loads `test/fixtures/NAME.json` and, where there is one, `NAME.safetensors`. The same in Node and in browsers.
 *
 * ```ts
 * const fixture = await loadFixture('ops/pillow_resize');
 * for (const item of fixture.manifest.cases) fixture.get(item.in.x).data;
 * ```
 */
export async function loadFixture(name: string): Promise<Fixture> {
  const manifest = await manifests[`../fixtures/${name}.json`]?.();
  const file = await files[`../fixtures/${name}.safetensors`]?.();
  if (manifest === undefined && file === undefined) throw new Error(`fixture ${name} is not in test/fixtures`);
  const tensors = file === undefined ? new Map<string, FixtureTensor>() : parse(fromDataUrl(file as string));
  return {
    manifest,
    tensors,
    get(tensor) {
      const found = tensors.get(tensor);
      if (!found) throw new Error(`fixture ${name} has no tensor ${tensor}; it has ${[...tensors.keys()].join(', ')}`);
      return found;
    },
  };
}

/** The bytes of `test/fixtures/NAME.safetensors`. */
export async function loadFixtureFile(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await files[`../fixtures/${name}.safetensors`]?.();
  if (file === undefined) throw new Error(`fixture ${name}.safetensors is not in test/fixtures`);
  return fromDataUrl(file as string);
}

const torchFiles = import.meta.glob('../fixtures/torch/*.pt', { query: '?url&inline', import: 'default' });

/** The bytes of `test/fixtures/torch/NAME.pt`, which PyTorch wrote. */
export async function loadTorchFile(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await torchFiles[`../fixtures/torch/${name}.pt`]?.();
  if (file === undefined) throw new Error(`fixture torch/${name}.pt is not in test/fixtures`);
  return fromDataUrl(file as string);
}

function fromDataUrl(url: string): Uint8Array<ArrayBuffer> {
  const text = atob(url.slice(url.indexOf(',') + 1));
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Not the library's own reader: a test should not lean on what it tests.
function parse(bytes: Uint8Array): Map<string, FixtureTensor> {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  );
  const tensors = new Map<string, FixtureTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const data = bytes.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]);
    if (dtype === 'F32') tensors.set(name, { dtype, shape, data: new Float32Array(data.buffer) });
    else if (dtype === 'I32') tensors.set(name, { dtype, shape, data: new Int32Array(data.buffer) });
    else tensors.set(name, { dtype, shape, data });
  }
  return tensors;
}

const fonts = import.meta.glob('/node_modules/@fontsource/inter/files/inter-{latin,greek}-600-normal.woff', {
  query: '?url&inline',
  import: 'default',
});

/** The font that the package's pictures are lettered with, as `cli/src/photos/lettering.ts` reads it. */
export async function loadFont(script: 'latin' | 'greek' = 'latin'): Promise<Uint8Array> {
  const font = await fonts[`/node_modules/@fontsource/inter/files/inter-${script}-600-normal.woff`]?.();
  if (font === undefined) throw new Error('@fontsource/inter is not installed; run npm ci');
  return fromDataUrl(font as string);
}
