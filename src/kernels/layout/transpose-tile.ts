/**
 * For GPUs. A workgroup turns a tile of 32 × 32 in workgroup memory, so that neighbours read what lies side by side, and write it so. `RANK`:
 * axes beside those two.
 *
 * As vec4s a thread loads a block of 4 × 4, of which eight neighbours have 128 bytes in a row, turns it, and stores one that another has turned.
 * Blocks of a row are 9 vec4s apart: no two of eight neighbours meet in one bank. Lengths that are no multiple of 4 are moved element by
 * element, by rows that are 33 apart.
 *
 * Loaded on demand, and so imports no values.
 */
export function transposeTile(element: 'T' | 'vec4<T>'): string {
  return `
var<workgroup> tile: array<${element}, ${element === 'T' ? 32 * 33 : 4 * 72}>;
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let wide = (params.lengthacross + 31u) / 32u;
  let high = (params.lengthdown + 31u) / 32u;
  var rest = flatGroup(g, size);
  let across = rest % wide * 32u;
  rest = rest / wide;
  let down = rest % high * 32u;
  rest = rest / high;
  if (rest >= params.length0 * params.length1 * params.length2 * params.length3) { return; }
  var at = across * params.stepacross + down;
  var to = across + down * params.madedown;
${[0, 1, 2, 3]
  .map(
    (k) => `  if (RANK > ${k}u) {
    at += rest % params.length${k} * params.step${k};
    to += rest % params.length${k} * params.made${k};
    rest = rest / params.length${k};
  }`,
  )
  .join('\n')}
  let near = l % ${element === 'T' ? 32 : 8}u;
  let far = l / ${element === 'T' ? 32 : 8}u;
${element === 'T' ? inOnes : inFours}
}`;
}

const inOnes = `  for (var i = 0u; i < 16u; i++) {
    let row = far + 2u * i;
    if (across + row < params.lengthacross && down + near < params.lengthdown) {
      tile[row * 33u + near] = x[at + row * params.stepacross + near];
    }
  }
  workgroupBarrier();
  for (var i = 0u; i < 16u; i++) {
    let row = far + 2u * i;
    if (across + near < params.lengthacross && down + row < params.lengthdown) {
      y[to + row * params.madedown + near] = tile[near * 33u + row];
    }
  }`;

const inFours = `  if (across + far * 4u < params.lengthacross && down + near * 4u < params.lengthdown) {
    let first = (at + far * 4u * params.stepacross) / 4u + near;
    let hop = params.stepacross / 4u;
    let a = x[first];
    let b = x[first + hop];
    let c = x[first + 2u * hop];
    let d = x[first + 3u * hop];
    let cell = near * 9u + far;
${[...'xyzw'].map((k, i) => `    tile[cell + ${72 * i}u] = vec4<T>(a.${k}, b.${k}, c.${k}, d.${k});`).join('\n')}
  }
  workgroupBarrier();
  if (across + near * 4u < params.lengthacross && down + far * 4u < params.lengthdown) {
    let place = (to + far * 4u * params.madedown) / 4u + near;
    let line = params.madedown / 4u;
    let cell = far * 9u + near;
${[0, 1, 2, 3].map((i) => `    y[place + ${i}u * line] = tile[cell + ${72 * i}u];`).join('\n')}
  }`;
