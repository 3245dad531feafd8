import { kernel } from '../../gpu/index.ts';
import { dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkOptions, checkTensors, commonType } from '../axis/index.ts';
import { cast } from '../elementwise/index.ts';

/**
 * Where values belong in lines that are in ascending order: the first place (u32) whose element is not below the value, or, with `right`, the
 * first whose element is above it; the length of the line where there is none. NaN counts as the largest. NumPy's and PyTorch's `searchsorted`, and
 * `digitize` and `bucketize`. `sorted` is one line `[N]` for all values of any shape, or `[…, N]` for values `[…, M]`. The result has the shape of
 * the values.
 *
 * ```ts
 * await readU32(searchSorted(tensor(device, [1, 3, 5]), tensor(device, [3, 4, 9]))); // [1, 2, 3]
 * await readU32(searchSorted(tensor(device, [1, 3, 5]), tensor(device, [3]), { right: true })); // [2]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or the dtypes.
 */
export function searchSorted(sorted: Tensor, values: Tensor, options: { readonly right?: boolean } = {}): Tensor {
  checkTensors('searchSorted', { sorted, values });
  checkOptions('searchSorted', options, ['right']);
  const shapes = { sorted: sorted.shape, values: values.shape };
  const isOne = sorted.shape.length === 1;
  if (!isOne && (sorted.shape.length === 0 || !sameShape(sorted.shape.slice(0, -1), values.shape.slice(0, -1)))) {
    throw new ShapeError('searchSorted', 'sorted must be [N], or […, N] with the axes of the values […, M]', shapes);
  }
  const dtype = commonType('searchSorted', { sorted, values });
  const y = empty(values, values.shape, 'u32');
  const per = isOne ? values.size : (values.shape.at(-1) ?? 1);
  const [lines, wanted] = [cast(sorted, dtype), cast(values, dtype)];
  dispatch(
    kernels[isFloat(dtype) ? 'T' : dtype === 'i32' ? 'i32' : 'u32'],
    { lines, wanted, y },
    { n: y.size, per, length: sorted.shape.at(-1) as number },
    { RIGHT: Number(options.right ?? false) },
  );
  return y;
}

/** Numbers as u32 of the same order, by their bits: NaN last, and what adapters may take for 0 in its place. */
const keys = {
  T: `
  let bits = bitcast<u32>(f32(x));
  let magnitude = bits & 0x7fffffffu;
  let signed = select(bits ^ select(0x80000000u, 0xffffffffu, bits > magnitude), 0x80000000u, magnitude == 0u);
  return select(signed, 0xffffffffu, magnitude > 0x7f800000u);`,
  i32: 'return bitcast<u32>(x) ^ 0x80000000u;',
  u32: 'return x;',
};

// An invocation finds the place of a value by bisection.
const search = (element: keyof typeof keys) =>
  kernel({
    name: 'search-sorted',
    bind: { lines: `read ${element}`, wanted: `read ${element}`, y: 'write u32' },
    params: { n: 'u32', per: 'u32', length: 'u32' },
    override: { WG: 64, RIGHT: 0 },
    grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
    wgsl: /* wgsl */ `
fn keyOf(x: ${element}) -> u32 { ${keys[element]} }
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let row = i / params.per * params.length;
  let value = keyOf(wanted[i]);
  var low = 0u;
  var high = params.length;
  while (low < high) {
    let middle = (low + high) / 2u;
    let key = keyOf(lines[row + middle]);
    if (key < value || (RIGHT == 1u && key == value)) { low = middle + 1u; } else { high = middle; }
  }
  y[i] = low;
}`,
  });
const kernels = { T: /*#__PURE__*/ search('T'), i32: /*#__PURE__*/ search('i32'), u32: /*#__PURE__*/ search('u32') };
