import { readSafetensors, readTensor, type WritableTensor, writeSafetensors } from '../../src/nn/safetensors/index.ts';
import { normal, seeded } from './check-op.ts';
import { loadFixtureFile } from './fixture.ts';

/** Values of the fixture's embeddings. */
const JOINT = 18;

/** Tensors of a text tower under OpenAI's names: width 64, which is one head, 1 layer, 50 tokens, 12 a text. */
export function textTower(seed = 3): [string, WritableTensor][] {
  const random = seeded(seed);
  const make = (name: string, ...shape: number[]): [string, WritableTensor] => {
    const isNorm = /ln_\w+\.weight$/.test(name);
    const length = shape.reduce((a, b) => a * b, 1);
    return [
      name,
      {
        dtype: 'F32',
        shape,
        data: Float32Array.from({ length }, () => (isNorm ? 1 : 0) + 0.2 * normal(random)),
      },
    ];
  };
  const block = 'transformer.resblocks.0.';
  return [
    make('token_embedding.weight', 50, 64),
    make('positional_embedding', 12, 64),
    ...['ln_1', 'ln_2'].flatMap((norm) => [make(`${block}${norm}.weight`, 64), make(`${block}${norm}.bias`, 64)]),
    make(`${block}attn.in_proj_weight`, 192, 64),
    make(`${block}attn.in_proj_bias`, 192),
    make(`${block}attn.out_proj.weight`, 64, 64),
    make(`${block}attn.out_proj.bias`, 64),
    make(`${block}mlp.c_fc.weight`, 256, 64),
    make(`${block}mlp.c_fc.bias`, 256),
    make(`${block}mlp.c_proj.weight`, 64, 256),
    make(`${block}mlp.c_proj.bias`, 64),
    make('ln_final.weight', 64),
    make('ln_final.bias', 64),
    make('text_projection', 64, JOINT),
    ['logit_scale', { dtype: 'F32', shape: [], data: Float32Array.of(Math.log(12)) }],
  ];
}

/** A whole SegCLIP: the image tower of the fixture, and a text tower beside it, as the authors name both. */
export async function segClipFile(
  texts: readonly (readonly [string, WritableTensor])[] = textTower(),
): Promise<Uint8Array<ArrayBuffer>> {
  const images = readSafetensors(await loadFixtureFile('segclip-tiny/segclip-tiny'), 'segclip-tiny');
  const all = new Map<string, WritableTensor>();
  for (const [name, tensor] of images.tensors) {
    const { dtype, shape, bytes } = await readTensor(tensor);
    if (dtype !== 'F32') throw new Error(`internal: '${name}' is ${dtype}`);
    all.set(name, { dtype: 'F32', shape, data: new Float32Array(bytes.slice().buffer) });
  }
  for (const [name, tensor] of texts) all.set(`clip.${name}`, tensor);
  return writeSafetensors(all);
}
