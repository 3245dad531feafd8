import { describe, expect, test } from 'vitest';
import { kernelWorkloads, lending } from '../../../cli/src/bench/workloads.ts';
import { type Analysis, analyse } from '../../../cli/src/gpu-model/analysis.ts';
import { instrument } from '../../../cli/src/gpu-model/instrument.ts';
import { launchesOnGpu } from '../../../cli/src/gpu-model/model.ts';
import { parse } from '../../../cli/src/wgsl/parser.ts';
import { source } from '../../../src/gpu/kernel.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

const bindings = `alias T = f32;
struct Cell { weight: f32, at: vec3f, count: u32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T>>;
@group(0) @binding(2) var<storage, read> cells: array<Cell>;
override WG: u32 = 64;
const HALF = WG / 2u;
var<workgroup> tile: array<array<f32, 33>, HALF>;
var<workgroup> total: f32;
`;

function read(body: string, before = ''): Analysis {
  const text = `${bindings}${before}
@compute @workgroup_size(WG) fn main(@builtin(local_invocation_index) l: u32) { ${body} }`;
  return analyse(text, parse(text), { WG: 128 });
}

const sitesOf = (body: string, before = '') =>
  read(body, before).sites.map(({ action, text, bytes, offset, unit, indices }) => {
    return `${action} ${text}: ${bytes} bytes at ${[...indices.map(({ units }) => units * unit), offset].join(' + ')}`;
  });

describe('accesses', () => {
  test('indices in indices, members and components have sites of their own', () => {
    expect(sitesOf('y[u32(x[l + u32(x[0])])].z = cells[l].at.y + y[l][l % 4u];')).toEqual([
      'load cells[l].at.y: 4 bytes at 32 + 20',
      'load y[l][l % 4u]: 4 bytes at 16 + 4 + 0',
      'load x[0]: 4 bytes at 4 + 0',
      'load x[l + u32(x[0])]: 4 bytes at 4 + 0',
      'store y[u32(x[l + u32(x[0])])].z: 4 bytes at 16 + 8',
    ]);
  });

  test('rows of rows, whole values, and sums in place', () => {
    expect(sitesOf('tile[l][3] += 1.0; total = tile[0][l]; y[l] = vec4f(total);')).toEqual([
      'update tile[l][3]: 4 bytes at 132 + 4 + 0',
      'load tile[0][l]: 4 bytes at 132 + 4 + 0',
      'store total: 4 bytes at 0',
      'load total: 4 bytes at 0',
      'store y[l]: 16 bytes at 16 + 0',
    ]);
  });

  test('a local name hides a buffer, until its block ends', () => {
    expect(sitesOf('{ var x = array<f32, 2>(1.0, 2.0); y[0].x = x[l]; } y[1].x = x[1];')).toEqual([
      'store y[0].x: 4 bytes at 16 + 0',
      'load x[1]: 4 bytes at 4 + 0',
      'store y[1].x: 4 bytes at 16 + 0',
    ]);
  });

  test('comments, shifts and templates are not what they look like', () => {
    expect(
      sitesOf(
        '/* x[1] /* x[2] */ */ let a = array<vec2<f32>, 4>(); if (l >> 1u >= 2u) { y[0].x = x[l >> 1u]; } // x[3]\n',
      ),
    ).toEqual(['load x[l >> 1u]: 4 bytes at 4 + 0', 'store y[0].x: 4 bytes at 16 + 0']);
  });

  test('what is not WGSL is refused with its place', () => {
    expect(() => parse('fn main() { let a = ; }')).toThrowErrorMatchingInlineSnapshot(
      `[WgslError: WGSL: expected a name, not ';', at line 1, column 21]`,
    );
    expect(() => parse('fn main() { let a = 1 # 2; }')).toThrowErrorMatchingInlineSnapshot(
      `[WgslError: WGSL: what is '#' at line 1, column 23?]`,
    );
  });
});

describe('operations', () => {
  const opsOf = (body: string) => {
    const ops = read(body).blocks[0]!.ops;
    return Object.fromEntries(Object.entries(ops).filter(([, count]) => count > 0));
  };

  test('sums with products are multiply-adds; a vec4 counts four', () => {
    expect(opsOf('var a = vec4f(); let b = a; a += b * 2.0;')).toEqual({ multiplyAdds: 4 });
    expect(opsOf('let a = 2.0; let f = f32(l); let b = f * f + a - f * a; let c = fma(b, b, b);')).toEqual({
      multiplyAdds: 3,
      others: 1,
    });
    expect(opsOf('let v = vec3f(f32(l)); let d = dot(v, v) + v.x * v.y * v.z;')).toEqual({
      multiplyAdds: 4,
      floats: 1,
      others: 1,
    });
  });

  test('of f16 they are counted apart, and widening is a conversion', () => {
    expect(opsOf('var a = vec4h(); let b = a; a += b * 2.0h; let c = a + b;')).toEqual({
      halfMultiplyAdds: 4,
      halfFloats: 4,
    });
    expect(opsOf('let a = vec4h(); var b = vec4f(); b += vec4f(a) * 2.0;')).toEqual({ multiplyAdds: 4, others: 4 });
  });

  test('divisions of integers by constants are cheap, exp and quotients of floats are special', () => {
    expect(opsOf('let a = l / 8u + l % WG;')).toEqual({ integers: 3 });
    expect(opsOf('let a = l / (l + 1u);')).toEqual({ divisions: 1, integers: 1 });
    expect(opsOf('let f = f32(l); let a = exp(f) / (f + 1.0);')).toEqual({ specials: 2, floats: 1, others: 1 });
  });

  test('what is known before it runs costs nothing', () => {
    expect(opsOf('let a = (HALF + 1u) * 4u; let b = a * 2u;')).toEqual({});
  });
});

test('workgroup memory, the size of workgroups, and registers', () => {
  const { workgroupBytes, workgroupSize, registers, scratch } = read(
    'var a = vec4f(); var b = array<vec4f, 4>(); for (var i = 0u; i < 4u; i++) { a += b[i]; } b[l] = a; y[l] = a + b[1];',
  );
  expect([workgroupBytes, workgroupSize]).toEqual([64 * 33 * 4 + 4, [128, 1, 1]]);
  expect([...scratch]).toEqual([['b', 64]]);
  // l, a, and ten without a name.
  expect(registers).toBe(15);
});

test('every kernel of the benchmark is understood, and what is understood is what was written', async () => {
  let kernels = 0;
  for (const { name, prepare } of kernelWorkloads(true)) {
    await lending(device.current, async (lend) => {
      for (const { kernel, element, constants } of launchesOnGpu(device.current, prepare(lend))) {
        if (typeof kernel.wgsl !== 'string' && !kernel.code) kernel.code = await kernel.wgsl();
        const text = source(kernel, element);
        const found = analyse(text, parse(text), { ...kernel.override, ...constants });
        const names = [...kernel.names, ...[...text.matchAll(/var<workgroup> (\w+)/g)].map(([, one]) => one as string)];
        // Every index of a buffer in the text, but for those that a local name hides, is a site.
        const written = new Set(found.sites.map(({ variable }) => variable));
        for (const one of written) expect(names, `${name}: ${kernel.name}`).toContain(one);
        expect(written.size, `${name}: ${kernel.name}`).toBeGreaterThan(0);
        expect(
          instrument(text, found, new Set(), () => 16).source.match(/gmSite\d+_0\(u32\(/g),
          kernel.name,
        ).toHaveLength(found.sites.filter(({ indices, single }) => indices.length > 0 || single !== undefined).length);
        kernels++;
      }
    });
  }
  expect(kernels).toBeGreaterThan(40);
});
