import { beforeAll, describe, expect, it } from 'vitest';
import { weightsFrom } from '../../../src/nn/layers/weights.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import {
  ForwardInspector,
  type GroupedImage,
  type MaskedImage,
} from '../../../src/zeroseg/inspection/forward-inspector.ts';
import { patchGroups, repaintedImage } from '../../../src/zeroseg/inspection/patch-results.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import type { ZeroSegConfig } from '../../../src/zeroseg/model/config-groups.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { trainingPass } from '../../../src/zeroseg/training/training-pass.ts';
import { close } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { type Fixture, loadFixture } from '../../support/fixture.ts';

const device = useDevice();
let fixture: Fixture;
let config: ZeroSegConfig;
let inspector: ForwardInspector;

const IMAGES = 2;
/** The part of a tensor of the fixture that belongs to one of its images. */
const rowOf = (name: string, image: number): Float32Array => {
  const data = fixture.get(name).data as Float32Array;
  const length = data.length / IMAGES;
  return data.slice(image * length, (image + 1) * length);
};
const noisesOf = (image: number) => [0, 1].map((i) => rowOf(`input/gumbel.${i}`, image));

beforeAll(async () => {
  fixture = await loadFixture('zeroseg-tiny/tiny-seed1');
  const { grid, n_views, ...keys } = fixture.manifest.config;
  config = resolveConfig(keys);
  const weights = weightsFrom(device.current, (name) => fixture.get(`param/${name}`).data as Float32Array);
  inspector = new ForwardInspector(device.current, new ZeroSeg(weights, config));
});

async function look(image: number): Promise<{ seen: MaskedImage; grouped: GroupedImage }> {
  const seen = await inspector.see(rowOf('input/image', image), rowOf('input/mask_noise', image));
  return { seen, grouped: await inspector.group(seen, rowOf('input/views', image), noisesOf(image)) };
}

describe('the values of the reference pass', () => {
  it('of each image', async () => {
    const { act } = fixture.manifest.tolerance;
    for (let image = 0; image < IMAGES; image++) {
      const { seen, grouped } = await look(image);
      expect([...seen.idsKeep]).toEqual([...rowOf('input/ids_keep', image)]);
      expect([...seen.mask]).toEqual([...rowOf('input/mask', image)]);
      const [first, second] = grouped.stages;
      for (const [name, values] of Object.entries({
        visible_tokens: seen.tokens,
        latent: seen.latent,
        pred: seen.pred,
        'seg.stage0.assign_logits': first?.logits,
        'seg.stage0.assign_soft': first?.soft,
        'seg.stage0.assign': first?.assign,
        'seg.stage1.assign_logits': second?.logits,
        'seg.stage1.assign_soft': second?.soft,
        'seg.stage1.assign': second?.assign,
        segments: grouped.segments,
        global: grouped.global,
        match_distance: grouped.distance,
      })) {
        close(values as Float32Array, rowOf(`act/${name}`, image), act, name);
      }
      expect([...grouped.nearest]).toEqual([...rowOf('act/match_index', image)]);
    }
  });

  it('of the losses, which are means over the images', async () => {
    const all = [await look(0), await look(1)].map(({ grouped }) => grouped);
    for (const name of ['rec', 'distill', 'match', 'total'] as const) {
      const [mean] = [all.reduce((sum, { terms, total }) => sum + ((terms[name] ?? total) as number), 0) / IMAGES];
      const [wanted = Number.NaN] = fixture.get(`loss/${name}`).data;
      expect(Math.abs((mean as number) - wanted) / wanted, name).toBeLessThan(fixture.manifest.tolerance.loss);
    }
  });
});

it('the values of a training pass with the same key', async () => {
  const key = new Uint32Array([7, 11]);
  const { maskNoise, noises } = await inspector.noise(key);
  const seen = await inspector.see(rowOf('input/image', 0), maskNoise);
  const grouped = await inspector.group(seen, rowOf('input/views', 0), noises);
  const inputs = {
    image: tensor(device.current, rowOf('input/image', 0), [1, config.chans, config.image, config.image]),
    views: tensor(device.current, rowOf('input/views', 0), [1, 30, config.clip_dim]),
    key: tensor(device.current, key, [2]),
  };
  const pass = trainingPass(inspector.model, defaultSettings, inputs, false);
  const [loss, rec, match] = await readAll([pass.loss, pass['term.rec'], pass['term.match']].map((t) => t as never));
  expect([grouped.total, grouped.terms['rec'], grouped.terms['match']]).toEqual([loss?.[0], rec?.[0], match?.[0]]);
});

describe('settings other than the model was trained with', () => {
  const views = () => rowOf('input/views', 0);
  const see = (ratio?: number) => inspector.see(rowOf('input/image', 0), rowOf('input/mask_noise', 0), ratio);

  it('the temperature sharpens or blurs, hardness chooses one', async () => {
    const seen = await see();
    const largest = async (tau: number): Promise<number> => {
      const { stages } = await inspector.group(seen, views(), undefined, { tau, hard: false });
      const { soft, assign } = stages[0] as GroupedImage['stages'][number];
      expect(assign).toEqual(soft);
      return Math.max(...soft);
    };
    expect(await largest(0.05)).toBeGreaterThan(await largest(1));
    expect(await largest(1)).toBeGreaterThan(await largest(20));
    const { stages } = await inspector.group(seen, views(), undefined, { tau: 20 });
    expect(new Set(stages[0]?.assign)).toEqual(new Set([0, 1]));
  });

  it('other grids have other views', async () => {
    const { distance, nearest, terms } = await inspector.group(await see(), views().slice(0, 5 * 20), undefined, {
      grids: [1, 2],
    });
    expect([distance.length, nearest.length]).toEqual([3 * 4, 3]);
    nearest.forEach((view, segment) => {
      expect(distance[segment * 4 + view]).toBe(Math.min(...distance.slice(segment * 4, segment * 4 + 4)));
    });
    const whole = await inspector.group(await see(), views().slice(0, 20), undefined, { grids: [1] });
    expect([whole.distance.length, whole.nearest.length, whole.terms['match']]).toEqual([0, 0, 0]);
    expect(whole.terms['rec']).toBe(terms['rec']);
  });

  it('nothing hidden: the decoder is not asked', async () => {
    const seen = await see(0);
    expect(seen.pred).toBeUndefined();
    expect(seen.idsKeep.length).toBe(16);
    const grouped = await inspector.group(seen, views(), undefined);
    expect(grouped.terms['rec']).toBe(0);
    expect(patchGroups(config, seen, grouped).groupOf.every((group) => group >= 0)).toBe(true);
  });

  it('is refused where the model cannot', async () => {
    await expect(see(1)).rejects.toThrow(/mask_ratio/);
    await expect(inspector.see(new Float32Array(3), rowOf('input/mask_noise', 0))).rejects.toThrow(
      'ForwardInspector.see: image must hold 768 values; it holds 3',
    );
    await expect(inspector.group(await see(), new Float32Array(20), undefined)).rejects.toThrow(
      'ForwardInspector.group: views must hold 600 values; it holds 20',
    );
  });
});

describe('by patch', () => {
  it('hidden patches have no group; the others that of their member', async () => {
    const { seen, grouped } = await look(0);
    const { groupOf, segmentOf, segmentOfGroup, memberOf } = patchGroups(config, seen, grouped);
    const [first] = grouped.stages;
    expect([...groupOf].map((group) => Number(group < 0))).toEqual([...seen.mask]);
    for (const [member, patch] of seen.idsKeep.entries()) {
      expect(memberOf[patch]).toBe(member);
      expect(first?.assign[(groupOf[patch] as number) * first.members + member]).toBe(1);
      expect(segmentOf[patch]).toBe(segmentOfGroup[groupOf[patch] as number]);
    }
  });

  it.each([false, true])('hidden patches are repainted; normalised by patch: %s', (norm_pix) => {
    const side = { image: 4, patch: 2, norm_pix };
    const data = Uint8Array.from({ length: 48 }, (_, i) => 5 * i);
    // The mean colour of ImageNet where pixels are predicted as they are; else the mean of each patch.
    const painted = repaintedImage(
      side,
      { width: 4, height: 4, data },
      { mask: new Float32Array([0, 1, 0, 0]), pred: new Float32Array(48) },
    );
    const pixel = (x: number, y: number) => [...painted.data.subarray(3 * (4 * y + x), 3 * (4 * y + x) + 3)];
    expect(pixel(0, 0)).toEqual([0, 5, 10]);
    expect(pixel(3, 3)).toEqual([225, 230, 235]);
    if (!norm_pix) expect(pixel(2, 1)).toEqual([124, 116, 104]);
    else expect(pixel(2, 0)).toEqual(pixel(3, 1));
  });
});
