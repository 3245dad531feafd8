import { describe, expect, test } from 'vitest';
import type { Counts, SiteCounts } from '../../../cli/src/gpu-model/counts.ts';
import { countLaunch, launchesOnGpu } from '../../../cli/src/gpu-model/model.ts';
import { kernel } from '../../../src/gpu/kernel.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const nvidia = { lanes: 32, sector: 32, line: 128, banks: 32 };

interface Planted {
  /** What stands before the function. */
  readonly before?: string;
  readonly threads?: string;
  readonly grid?: readonly number[];
  readonly parameters?: string;
  /** Elements of x and y. */
  readonly length?: number;
}

/** What one workgroup of 32 threads does, if not told otherwise, in a kernel from `x` to `y`. */
async function counted(body: string, planted: Planted = {}): Promise<Counts> {
  const { before = '', threads = '32', grid = [1], length = 2 ** 14 } = planted;
  const { parameters = '@builtin(global_invocation_id) at: vec3u, @builtin(local_invocation_index) l: u32' } = planted;
  const made = kernel({
    name: 'planted',
    bind: { x: 'read T', y: 'write T' },
    grid: () => grid,
    wgsl: `${before}
@compute @workgroup_size(${threads})
fn main(${parameters}) {
${body}
}`,
  });
  const x = variable(device.current, [length]);
  try {
    const [launch] = launchesOnGpu(device.current, () => {
      const y = empty(x);
      dispatch(made, { x, y }, {});
      return y;
    });
    return (await countLaunch(device.current, launch!, [nvidia], 64)).counts[0]!;
  } finally {
    free(x);
  }
}

const memory = ({ site, requests, accesses, sectorBytes, turns }: SiteCounts) => ({
  ...{ what: `${site.action} ${site.variable}`, requests, accesses, sectorBytes, turns },
});

/** Accesses, and special functions of warps: each as often as lanes come apart on their way to it. */
const work = ({ sites, warpOps }: Counts) => ({ sites: sites.map(memory), specials: warpOps.specials });

describe('the same work written in two ways costs the same', () => {
  const heavy = 's = sin(s) * exp(s) + sqrt(abs(s));';
  const loop = (inside: string) => `  var s = f32(l);\n  for (var k = 0u; k < 64u; k++) { ${inside} }\n  y[at.x] = s;`;
  const pairs: Record<string, readonly [string, string, Planted?]> = {
    'to the right of &&': [
      loop('if ((k + l) % 2u == 0u && x[k * 32u + l] > 5.0) { s += 1.0; }'),
      loop('if ((k + l) % 2u == 0u) { if (x[k * 32u + l] > 5.0) { s += 1.0; } }'),
    ],
    'to the right of || in a value': [
      loop('let is = (k + l) % 2u == 0u || x[k * 32u + l] > 5.0; s += select(0.0, 1.0, is);'),
      loop('var is = (k + l) % 2u == 0u; if (!is) { is = x[k * 32u + l] > 5.0; } s += select(0.0, 1.0, is);'),
    ],
    'special functions to the right of &&': [
      loop('if ((k + l) % 4u == 0u && sin(exp(s)) + cos(sqrt(s)) + log(s) + exp(s) > 5.0) { s += 1.0; }'),
      loop('if ((k + l) % 4u == 0u) { if (sin(exp(s)) + cos(sqrt(s)) + log(s) + exp(s) > 5.0) { s += 1.0; } }'),
    ],
    'the test of an else if': [
      loop('if ((k + l) % 2u == 0u) { s += 1.0; } else if (x[k * 32u + l] > 5.0) { s += 2.0; }'),
      loop('if ((k + l) % 2u == 0u) { s += 1.0; } else { if (x[k * 32u + l] > 5.0) { s += 2.0; } }'),
    ],
    'after a continue': [
      loop(`if ((k + l) % 4u != 0u) { continue; } ${heavy}`),
      loop(`if ((k + l) % 4u == 0u) { ${heavy} }`),
    ],
    'after a break': [loop(`if (k == l) { break; } ${heavy}`), loop(`if (k < l) { ${heavy} } else { break; }`)],
    'after a continue in a switch': [
      loop(`switch ((k + l) % 4u) { case 1u: { continue; } default: { } } ${heavy}`),
      loop(`if ((k + l) % 4u != 1u) { ${heavy} }`),
    ],
    'after a return': [
      `  if (l % 8u != 0u) { return; }\n  var s = f32(l); ${heavy}\n  y[at.x] = s;`,
      `  if (l % 8u == 0u) { var s = f32(l); ${heavy} y[at.x] = s; }`,
    ],
    'a return with its load, and behind it': [
      '  y[at.x] = first(l);',
      '  y[at.x] = last(l);',
      {
        before: `fn first(l: u32) -> f32 {
  for (var k = 0u; k < 40u; k++) { if (k == l) {return x[k * 32u + l];} }
  return 0.0;
}
fn last(l: u32) -> f32 {
  for (var k = 0u; k < 40u; k++) { if (k == l) { let found = x[k * 32u + l]; return found; } }
  return 0.0;
}`,
      },
    ],
  };
  for (const [name, [one, other, planted]] of Object.entries(pairs)) {
    test(name, async () => {
      const [a, b] = [await counted(one, planted), await counted(other, planted)];
      expect(work(a)).toEqual(work(b));
      // What lanes do not come to is not counted for them: none of these keeps all of them busy.
      expect(a.converged).toBeLessThan(0.95);
    });
  }
});

test('a function that is called from both sides of an if does its work twice', async () => {
  const before = 'fn f(i: u32) -> f32 { return sin(x[i]); }';
  const { sites, warpOps } = await counted(
    '  var s = 0.0;\n  if (l % 2u == 0u) { s = f(at.x); } else { s = f(at.x) + 1.0; }\n  y[at.x] = s;',
    { before },
  );
  expect(warpOps.specials).toBe(2);
  expect(sites.map(memory)[0]).toEqual({ what: 'load x', requests: 2, accesses: 32, sectorBytes: 256, turns: 2 });
  // One after the other, by all lanes, it does so too, and its loads are whole.
  const both = await counted('  y[at.x] = f(at.x) + f(at.x + 32u);', { before });
  expect(both.converged).toBe(1);
  expect(both.sites.map(memory)[0]).toEqual({ what: 'load x', requests: 2, accesses: 64, sectorBytes: 256, turns: 2 });
});

test('lanes that leave a function in other turns of its loop are together again behind it', async () => {
  const before = `fn f(l: u32) -> f32 {
  for (var k = 0u; k < 40u; k++) { if (k == l) { return f32(k); } }
  return 0.0;
}`;
  const { sites } = await counted(
    '  let s = f(l);\n  var t = 0.0;\n  for (var k = 0u; k < 8u; k++) { t += x[k * 32u + l]; }\n  y[at.x] = s + t;',
    { before },
  );
  expect(sites.map(memory)).toEqual([
    { what: 'load x', requests: 8, accesses: 256, sectorBytes: 1024, turns: 8 },
    { what: 'store y', requests: 1, accesses: 32, sectorBytes: 128, turns: 1 },
  ]);
});

describe('long traces', () => {
  test('are counted as they are while there is room, however much there could have been', async () => {
    // 20,000 of 40,000 possible notes, where 32,767 have room.
    const half = (side: number) => `if (k % 2u == ${side}u && x[(k + ${side}u) % 1024u] > 5.0) { s += 1.0; }`;
    const { sites, cut } = await counted(
      `  var s = 0.0;\n  for (var k = 0u; k < 20000u; k++) { ${half(0)} ${half(1)} }\n  y[at.x] = s;`,
      { threads: '256' },
    );
    expect(cut).toBe(false);
    expect(sites.map(memory).map(({ what, requests, accesses }) => [what, requests, accesses])).toEqual([
      ['load x', 8 * 10000, 256 * 10000],
      ['load x', 8 * 10000, 256 * 10000],
      ['store y', 8, 256],
    ]);
  });

  test('are scaled up where there is none', async () => {
    const { sites, cut } = await counted(
      '  var s = 0.0;\n  for (var k = 0u; k < 40000u; k++) { s += x[k % 1024u]; }\n  y[at.x] = s;',
      { threads: '256' },
    );
    expect(cut).toBe(true);
    expect(sites[0]!.requests).toBeCloseTo(8 * 40000, 3);
    expect(sites[0]!.accesses).toBeCloseTo(256 * 40000, 3);
  });

  test('lanes that come apart are scaled as they are', async () => {
    const { sites, cut, warpOps } = await counted(
      '  var s = 0.0;\n  for (var k = 0u; k < 20000u; k++) { if ((k + l) % 2u == 0u) { s += sin(x[k % 1024u]); } }\n  y[at.x] = s;',
      { threads: '256' },
    );
    expect(cut).toBe(true);
    expect(sites[0]!.requests / (8 * 20000)).toBeCloseTo(1, 2);
    expect(warpOps.specials / (8 * 20000)).toBeCloseTo(1, 2);
  });
});

describe('a few workgroups see what theirs is in the whole grid', () => {
  test('the length of a buffer of 16 MiB', async () => {
    const { sites } = await counted(
      '  var s = 0.0;\n  for (var k = l; k < arrayLength(&x); k += 2048u) { s += x[k]; }\n  y[at.x] = s + f32(arrayLength(&y));',
      { length: 2 ** 22 },
    );
    expect(sites[0]!.requests).toBe(2 ** 22 / 2048);
  });

  test('builtins: the index of a workgroup, and of an invocation in the grid', async () => {
    const parameters = [
      '@builtin(workgroup_index) w: u32',
      '@builtin(global_invocation_index) i: u32',
      '@builtin(global_invocation_id) at: vec3u',
      '@builtin(num_workgroups) n: vec3u',
    ].join(', ');
    const body = `  let size = n * vec3u(8u, 4u, 1u);
  if (i == at.x + size.x * (at.y + size.y * at.z)) { y[i] = x[w * 32u]; }
  if (w > 70u) { y[i] = 1.0; }`;
    const { sites } = await counted(body, { parameters, threads: '8, 4', grid: [12, 3, 2] });
    expect(sites.map(memory).map(({ what, accesses }) => [what, accesses])).toEqual([
      ['load x', 64 * (72 / 64) * 32],
      ['store y', 64 * (72 / 64) * 32],
      ['store y', expect.closeTo(32 * (72 / 64), 5)],
    ]);
  });
});

describe('arrays as a whole, and pointers', () => {
  const before = `struct Cell { weight: f32, at: vec2f }
var<workgroup> tile: array<f32, 32>;
var<workgroup> other: array<f32, 32>;
var<workgroup> rows: array<array<f32, 4>, 32>;
var<workgroup> flag: f32;
var<workgroup> cell: Cell;
var<workgroup> hits: array<atomic<u32>, 64>;
fn raise(p: ptr<workgroup, f32>) { *p += 1.0; (*p) *= 2.0; }
fn hit(p: ptr<workgroup, atomic<u32>>) -> u32 { return atomicAdd(p, 1u) + atomicLoad(p); }
fn second(row: ptr<workgroup, array<f32, 4>>) -> f32 { return inner(row, 1u); }
fn inner(row: ptr<workgroup, array<f32, 4>>, k: u32) -> f32 { return (*row)[k]; }`;
  const turnsOf = async (body: string) => {
    const { sites } = await counted(`${body}\n  y[at.x] = f32(l);`, { before });
    return sites
      .filter(({ site }) => site.space === 'workgroup')
      .map(
        ({ site, requests, accesses, turns, meet }) =>
          `${site.action} ${site.text}: ${requests} ${accesses} ${turns} ${meet}`,
      );
  };

  test('a copy takes an element after the other', async () => {
    expect(await turnsOf('  let all = tile;\n  other = all;')).toEqual([
      'load tile: 32 1024 32 0',
      'store other: 32 1024 32 0',
    ]);
    expect(await turnsOf('  tile = array<f32, 32>();')).toEqual(['store tile: 32 1024 32 0']);
    // Rows of four words, of which 32 lanes take one each: four of them meet in a bank.
    expect(await turnsOf('  let row = rows[31u - l];\n  rows[l] = row;')).toEqual([
      'load rows[31u - l]: 4 128 16 0',
      'store rows[l]: 4 128 16 0',
    ]);
  });

  test('to a single value, a member, an element', async () => {
    expect(await turnsOf('  let p = &flag;\n  if (l == 0u) { *p = 3.0; }\n  let v = *p;')).toEqual([
      'store *p: 1 1 1 0',
      'load *p: 1 32 1 0',
    ]);
    expect(await turnsOf('  raise(&flag);')).toEqual(['update *p: 1 32 2 0', 'update (*p): 1 32 2 0']);
    expect(await turnsOf('  let p = &cell.at;\n  (*p)[l % 2u] = 1.0;\n  let v = p.y;')).toEqual([
      'store (*p)[l % 2u]: 1 32 1 0',
      'load p.y: 1 32 1 0',
    ]);
    // Their addresses are in other banks, or in one.
    expect(await turnsOf('  let p = &tile[31u - l];\n  *p = 1.0;\n  let q = &rows[l][1];\n  *q -= 1.0;')).toEqual([
      'store *p: 1 32 1 0',
      'update *q: 1 32 8 0',
    ]);
    expect(await turnsOf('  let v = hit(&hits[l]);\n  let w = hit(&hits[0]);')).toEqual([
      'atomic p: 2 64 66 32',
      'load p: 2 64 2 0',
    ]);
    expect(await turnsOf('  let v = second(&rows[l]) + inner(&rows[0], l % 4u);')).toEqual([
      'load (*row)[k]: 2 64 5 0',
    ]);
  });

  test('a parameter may not point to two variables', async () => {
    const body = '  raise(&flag);\n  raise(&tile[0]);';
    await expect(counted(body, { before })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[WgslError: WGSL: raise takes tile as p, and elsewhere something else; pass the index instead]`,
    );
  });
});

describe('WGSL that is seldom written', () => {
  test('sizes that are worked out, assertions, attributes of statements', async () => {
    const before = `const SIDE = 0x8u;
const_assert SIDE == 8u;
var<workgroup> a: array<f32, 1u << 5u>;
var<workgroup> b: array<f32, max(SIDE * 4u, (2u | 1u))>;
var<workgroup> c: array<f32, (SIDE & 12u) << 2u>;`;
    const { sites } = await counted(
      `  const_assert 1 < 2;
  let v: vec2<f32>= vec2<f32>(f32(l), 1.0);
  @diagnostic(off, derivative_uniformity)
  for (var k = 0u; k < 2u; k++) @diagnostic(off, derivative_uniformity) { a[l] = v.x; b[l] = v.y; c[l] = v.x; }
  @diagnostic(off, derivative_uniformity) if l < 3u { y[l] = a[l]; }
  @diagnostic(off, derivative_uniformity) switch l { default: { y[l] = b[l] + c[l]; } }`,
      { before },
    );
    expect(sites.map(memory).map(({ what, accesses }) => `${what} ${accesses}`)).toEqual([
      ...['store a 64', 'store b 64', 'store c 64', 'load a 3', 'store y 3', 'load b 32', 'load c 32', 'store y 32'],
    ]);
  });
});
