import type { EpilogueSpec, WgslTools } from './kernel-interface.ts';

/**
 * Adds up the parts of a product that was split over its inner axis, `[count, batch, rows, cols]` as f32, and finishes it; and the parts
 * of row sums, `[count, rows]`, where there are any.
 *
 * Loaded on demand, and so imports no values.
 */
export function splitSumWgsl({ four, rowSums }: EpilogueSpec, { inRuns }: WgslTools): string {
  const walk = { counter: 'part', from: '0u', to: 'params.count', by: '1u' };
  const unit = four ? 4 : 1;
  return `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * 64u + l;
  ${
    rowSums
      ? `if (i < params.rows) {
    var rowSum = 0.0;
    ${inRuns({ rowSum: 'f32' }, walk, 'rowSum += rowParts[part * params.rows + i];')}
    sums[i] = T(rowSum);
  }`
      : ''
  }
  if (i >= params.n / ${unit}u) { return; }
  var sum = ${four ? 'vec4f' : 'f32'}();
  ${inRuns({ sum: four ? 'vec4f' : 'f32' }, walk, `sum += parts[part * (params.n / ${unit}u) + i];`)}
  finish(i, i % (params.cols / ${unit}u), sum);
}`;
}
