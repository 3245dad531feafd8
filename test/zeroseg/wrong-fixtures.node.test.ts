import { describe, expect, it } from 'vitest';
import { verifyFixture } from '../../cli/src/verify/index.ts';
import type { StoredTensor } from '../../src/nn/safetensors/index.ts';
import { useDevice } from '../support/device.ts';
import { failuresOf, fixtureLoader, manifestOf } from '../support/reference-fixtures.ts';

type Json = Record<string, unknown>;

describe('a fixture that is wrong fails', () => {
  const device = useDevice();

  const run = async (
    name: string,
    json: (manifest: Json) => void,
    change?: (tensors: Map<string, StoredTensor>) => void,
  ) => {
    const changed = await manifestOf(name);
    json(changed.json as Json);
    const { rows } = await verifyFixture(device.current, changed, fixtureLoader(name, change));
    return failuresOf(rows);
  };
  const softmax = (change: (first: Json) => void) =>
    run('ops/softmax', ({ cases }) => change((cases as Json[])[0] as Json));

  it('an op that is not known', async () => {
    expect(await softmax((one) => Object.assign(one, { op: 'softmux' }))).toMatchInlineSnapshot(`
      [
        "softmux softmax_last: the op 'softmux' is not known",
      ]
    `);
  });

  it('an attribute that is not known', async () => {
    expect(await softmax((one) => Object.assign(one['attrs'] as object, { slope: 2 }))).toMatchInlineSnapshot(`
      [
        "softmax softmax_last: case 'softmax_last': 'attrs' has 'slope', which is not known",
      ]
    `);
  });

  it('an input that the op does not have', async () => {
    expect(
      await softmax((one) => Object.assign(one['in'] as object, { mask: 'softmax_last/in.x' })),
    ).toMatchInlineSnapshot(`
      [
        "softmax softmax_last: the op 'softmax' has no input 'mask'",
      ]
    `);
  });

  it('a shape that does not match', async () => {
    expect(await softmax((one) => Object.assign(one['shapes'] as object, { 'in.x': [9, 4] }))).toMatchInlineSnapshot(`
      [
        "softmax softmax_last: softmax.safetensors: 'softmax_last/in.x' is [4, 9]; expected [9, 4]",
      ]
    `);
  });

  it('a tensor that is missing', async () => {
    expect(
      await run(
        'ops/softmax',
        () => {},
        (all) => all.delete('softmax_last/out.y'),
      ),
    ).toMatchInlineSnapshot(`
      [
        "softmax softmax_last: softmax.safetensors has no tensor 'softmax_last/out.y'",
      ]
    `);
  });

  it('a tensor with which nothing is compared', async () => {
    expect(
      await run(
        'ops/softmax',
        () => {},
        (all) => all.set('extra', all.get('softmax_last/out.y') as StoredTensor),
      ),
    ).toMatchInlineSnapshot(`
      [
        "unknown extra: softmax.safetensors has the tensor 'extra', with which nothing was compared",
      ]
    `);
  });

  it('NaN', async () => {
    expect(
      await run(
        'ops/softmax',
        () => {},
        (all) => floats(all, 'softmax_last/out.y').fill(Number.NaN, 3, 4),
      ),
    ).toMatchInlineSnapshot(`
      [
        "softmax softmax_last/out.y: the fixture holds NaN at 3",
      ]
    `);
  });

  it('a rule with one number changed, and one that is not known', async () => {
    expect(
      await run('ops/rules', (rules) => {
        ((rules['grid_boxes'] as { out: number[][] }[])[0] as { out: number[][] }).out[5]?.splice(2, 1, 75);
        Object.assign(rules, { flips: [] });
      }),
    ).toMatchInlineSnapshot(`
      [
        "grid_boxes case 0 out: element 5 is [0,0,74,74], expected [0,0,75,74]",
        "flips flips: the rule 'flips' is not known",
      ]
    `);
  });

  it('a manifest without cases, and JSON that is none', async () => {
    expect(await run('ops/softmax', (json) => Object.assign(json, { cases: [] }))).toContain(
      'ops ops/softmax: the manifest lists no cases',
    );
    const { rows } = await verifyFixture(device.current, { name: 'x', json: { a: 1 } }, fixtureLoader('x'));
    expect(failuresOf(rows)).toMatchInlineSnapshot(`
      [
        "manifest x: this JSON is no manifest of a fixture",
      ]
    `);
  });

  /** The training fixture without its variants, which are computed in the same way: the other parts are enough to be noticed in. */
  const training = (change: (tensors: Map<string, StoredTensor>) => void) =>
    run(
      'zeroseg-tiny/tiny-seed1',
      (json) => Object.assign(json, { variants: [] }),
      (all) => {
        for (const key of [...all.keys()]) if (key.startsWith('variant/')) all.delete(key);
        change(all);
      },
    );

  it('the training fixture without its variants does not', { timeout: 600_000 }, async () => {
    expect(await training(() => {})).toEqual([]);
  });

  it.each([
    'param/encoder.blocks.0.mlp.fc1.weight',
    'input/image',
    'input/views',
    'grad/decoder.pred.bias',
    'after/seg.norm.weight',
    'infer/text',
    'input/gumbel.0',
  ])('one number of %s changed in the training fixture', { timeout: 600_000 }, async (key) => {
    const wrong = await training((all) => {
      const values = floats(all, key);
      values[1] = (values[1] as number) + 0.5;
    });
    expect(wrong.length).toBeGreaterThan(0);
  });
});

function floats(tensors: Map<string, StoredTensor>, key: string): Float32Array {
  const stored = tensors.get(key) as StoredTensor;
  const bytes = stored.bytes.slice();
  tensors.set(key, { ...stored, bytes });
  return new Float32Array(bytes.buffer);
}
