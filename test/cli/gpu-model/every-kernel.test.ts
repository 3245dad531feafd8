import { beforeAll, describe, expect, test } from 'vitest';
import { gpus, lanesOf } from '../../../cli/src/gpu-model/gpus.ts';
import { countLaunch, onGpu } from '../../../cli/src/gpu-model/model.ts';
import type { Launch } from '../../../src/tensor/graph/tensor.ts';
import { useDevice } from '../../support/device.ts';
import { everyLaunch, kernelNames } from '../../support/every-launch.ts';
import { launchesOf } from '../../support/surplus.ts';

// Every kernel of the library, in each form that it has on a GPU, through the model, at sizes that are quick. What is short of what all
// others do is in a table, with its reason; docs/benchmarks.md tells the same.

const device = useDevice();
const { ofOps, beside, ofOptimizers } = everyLaunch(device);
const bodies: Readonly<Record<string, readonly (() => void)[]>> = {
  ...Object.fromEntries(Object.entries({ ...ofOps, ...beside }).map(([name, body]) => [name, [body]])),
  ...ofOptimizers,
};

/** Of the bytes of the sectors that a launch of several workgroups touches: those that it wants. */
const SECTORS = 0.75;
/** Turns of workgroup memory, where one would do. */
const TURNS = 2;
/** Bytes of workgroup memory, and invocations of a workgroup, that every WebGPU device has. */
const WORKGROUP_MEMORY = 16_384;
const WORKGROUP_SIZE = 256;

/** Shares of their sectors that kernels use at the sizes of this test, where that is less, by the reason. */
const partSectors: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'threads of a warp take lines, or parts of a line, that lie apart': {
    max: 0.12,
    min: 0.12,
    'running-linear': 0.18,
    'running-linear-parts': 0.26,
    'running-max': 0.18,
    'running-max-parts': 0.26,
    'running-product': 0.11,
    'running-product-parts': 0.11,
    'running-sum': 0.18,
    sum: 0.48,
  },
  'neighbours have rows of their own, of which each load takes a part': {
    'cdist-count': 0.23,
    'cdist-largest': 0.29,
    'cdist-largest-backward': 0.18,
    'cdist-powers': 0.2,
    'cdist-powers-backward': 0.18,
    'cdist-root': 0.23,
    'cdist-root-backward': 0.18,
    'cdist-sum': 0.23,
    'cdist-sum-backward': 0.24,
  },
  'places follow from values, so that neighbours go to places apart': {
    argsort: 0.26,
    'argsort-merge': 0.31,
    'group-by-id': 0.22,
    'search-sorted': 0.55,
    'shuffle-mask': 0.54,
  },
  'a thread stores four numbers one after the other': {
    random: 0.22,
    'random-integer': 0.22,
  },
  'a vector of 333 elements has few for a workgroup; library-kernels.test.ts has AdamW and the norm of 2^18': {
    adam: 0.17,
    adamw: 0.17,
    lion: 0.17,
    muon: 0.11,
    'rms prop': 0.17,
    sgd: 0.17,
    'sgd with momentum': 0.17,
    'squared-norm': 0.11,
  },
  'pixels, windows and patches of 2 to 9 elements, which begin anywhere': {
    'average windows': 0.52,
    fold: 0.54,
    'grid-pixels': 0.58,
    'grid-sample-backward': 0.55,
    'grid-sample-products': 0.47,
    'max-pool': 0.58,
    'pamr deviation': 0.55,
    'patch statistics': 0.17,
    patchify: 0.54,
    resize: 0.63,
    'resize columns of cells': 0.38,
    'resize rows of cells': 0.31,
    unfold: 0.49,
    unpatchify: 0.32,
  },
  'rows of 2 to 37 elements, which begin and end within sectors': {
    'assign-normalise': 0.33,
    'assign-normalise backward': 0.32,
    'attention backward rows': 0.64,
    'batch-norm': 0.72,
    'batch-norm-backward': 0.72,
    'batch-norm-backward-sums': 0.71,
    choose: 0.31,
    'choose backward': 0.31,
    'choose with noise': 0.31,
    concat: 0.65,
    copy: 0.62,
    'cross-entropy': 0.36,
    'cross-entropy backward': 0.36,
    'group-norm': 0.73,
    'group-norm-backward': 0.73,
    'l2-normalize': 0.33,
    'l2-normalize-backward': 0.32,
    'layer-norm': 0.32,
    'layer-norm-backward': 0.54,
    'log-softmax': 0.31,
    'log-softmax-backward': 0.31,
    'map-axes': 0.48,
    'map-axes-backward': 0.68,
    matmul: 0.63,
    'matmul gelu': 0.7,
    'matmul relu': 0.7,
    medoids: 0.54,
    reconstruction: 0.18,
    'reconstruction backward': 0.23,
    'rotary-embedding': 0.41,
    'segment-match': 0.38,
    'segment-match backward': 0.73,
    'segment-match backward views': 0.48,
    'segment-match distances': 0.64,
    softmax: 0.31,
    'softmax-backward': 0.31,
    split: 0.65,
    standardize: 0.33,
    'standardize-backward': 0.32,
    'take-rows': 0.54,
    transpose: 0.64,
    triangle: 0.47,
    'unshuffle-backward': 0.22,
    'weighted-cross-entropy': 0.33,
    'weighted-cross-entropy backward': 0.33,
  },
};

/** Private arrays that lie in memory: an index into them is known only when it runs. */
const scratch: Readonly<Record<string, readonly string[]>> = {
  cos: ['table'],
  'cos-backward': ['table'],
  'random-integer': ['bits'],
  sin: ['table'],
  'sin-backward': ['table'],
  tan: ['table'],
};

const leastOf = (name: string): number =>
  Object.values(partSectors).find((kernels) => name in kernels)?.[name] ?? SECTORS;

/** Kernels that no op or optimizer launches by itself. */
const elsewhere: Readonly<Record<string, string>> = {
  'rms prop with momentum': 'reads and changes eight buffers, as many as every device has; a trace is one more',
  'rms prop with momentum and clear':
    'reads and changes eight buffers, as many as every device has; a trace is one more',
  narrow: 'of f16',
  widen: 'of f16',
  'scan-round': 'of f16',
  forget: 'of check mode',
  scan: 'of check mode',
  judge: 'of check mode',
  'copy of old values': 'of steps',
  'layer-norm-weights of all': 'takes the place of several, in a step',
  'matmul parts of all': 'takes the place of several, in a step',
};

interface Form {
  readonly launch: Launch;
  /** Whose it is. */
  readonly name: string;
  /** By which the largest launch of a form is found. */
  readonly size: number;
}

const forms = new Map<string, Form>();

beforeAll(async () => {
  for (const [name, all] of Object.entries(bodies)) {
    for (const body of all) {
      for (const launch of onGpu(device.current, 'nvidia', undefined, () => launchesOf(device.current, body))) {
        const { kernel, element, grid, tensors } = launch;
        // Not every adapter has f16, whose forms are those of f32 with other loads and stores, or subgroups.
        if (element === 'f16' || (kernel.requires?.length ?? 0) > 0 || kernel.name in elsewhere) continue;
        if (typeof kernel.wgsl !== 'string' && !kernel.code) kernel.code = await kernel.wgsl();
        const key = JSON.stringify([kernel.name, element, kernel.code ?? kernel.wgsl]);
        const workgroups = grid[0] * grid[1] * grid[2];
        const size = workgroups * 1e6 + Math.max(...tensors.map((tensor) => tensor.size));
        const before = forms.get(key);
        if (!before || before.size < size) forms.set(key, { launch, name, size });
      }
    }
  }
});

async function shortfallsOf(launch: Launch): Promise<string[]> {
  const { counts, analysis, workgroups } = await countLaunch(device.current, launch, [lanesOf(gpus.h100)], 2);
  const { sites } = counts[0]!;
  const { name: kernel } = launch.kernel;
  const wrong: string[] = [];
  for (const name of analysis.scratch.keys()) {
    if (!scratch[kernel]?.includes(name)) wrong.push(`${name} is a private array in memory`);
  }
  if (analysis.workgroupBytes > WORKGROUP_MEMORY) wrong.push(`${analysis.workgroupBytes} bytes of workgroup memory`);
  const [x, y, z] = analysis.workgroupSize;
  if (x * y * z > WORKGROUP_SIZE) wrong.push(`${x * y * z} threads`);
  const total = (of: 'bytes' | 'sectorBytes') =>
    sites.reduce((sum, site) => sum + (site.site.space === 'storage' ? site[of] : 0), 0);
  const share = total('bytes') / total('sectorBytes');
  // A single workgroup has a few numbers to add up, and stores one.
  if (workgroups > 1 && share < leastOf(kernel)) wrong.push(`uses ${share.toFixed(2)} of its sectors`);
  for (const { site, turns, fewestTurns } of sites) {
    if (site.space === 'workgroup' && turns > TURNS * fewestTurns) {
      wrong.push(`${site.text} takes ${(turns / fewestTurns).toFixed(1)} turns`);
    }
  }
  return wrong.map((words) => `${kernel}: ${words}`);
}

describe('every form of every kernel uses its sectors, meets in banks in twos at most, and stays within the limits of every device', () => {
  for (const name of Object.keys(bodies)) {
    test(name, async () => {
      const wrong: string[] = [];
      for (const form of forms.values()) {
        if (form.name === name) wrong.push(...(await shortfallsOf(form.launch)));
      }
      expect(wrong).toEqual([]);
    });
  }

  test('and no kernel is left out', () => {
    const launched = new Set([...forms.values()].map(({ launch }) => launch.kernel.name));
    expect(kernelNames().filter((one) => !launched.has(one) && !(one in elsewhere))).toEqual([]);
    const named = [...Object.values(partSectors).flatMap(Object.keys), ...Object.keys(scratch)];
    expect(named.filter((one) => !launched.has(one))).toEqual([]);
    expect(forms.size).toBeGreaterThan(400);
  });
});
