// 16-bit floats (IEEE 754 binary16) as their bits, since JavaScript has no Float16Array before Node 24.

/**
 * The bits of the nearest 16-bit floats (IEEE 754 binary16), ties to even. Magnitudes of 65520 and more become
 * infinite, those up to 2^-25 zero, a NaN the quiet one of its sign.
 */
export function toHalf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) half = 0x7e00;
    else if (magnitude >= 0x47800000)
      half = 0x7c00; // from 2^16
    else if (magnitude >= 0x38800000) {
      // From 2^-14, normal: move the exponent by 112, drop 13 bits. A carry runs into the exponent, as it should.
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    } else if (magnitude < 0x33000000)
      half = 0; // below 2^-25, half of the smallest
    else {
      // Subnormal: multiples of 2^-24. The value is mantissa * 2^(exponent - 150).
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      const shift = 126 - (magnitude >>> 23);
      half = mantissa >>> shift;
      const rest = mantissa - (half << shift);
      const tie = 1 << (shift - 1);
      if (rest > tie || (rest === tie && (half & 1) === 1)) half++;
    }
    out[i] = sign | half;
  }
  return out;
}

/** The values of 16-bit floats (IEEE 754 binary16) given as bits; every one has an exact 32-bit float. */
export function fromHalf(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const table = (halfTable ??= makeHalfTable());
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return new Float32Array(out.buffer);
}

// All 65,536 answers (256 kB, made once in under a millisecond): one load an element, with no branches.
let halfTable: Uint32Array | undefined;

function makeHalfTable(): Uint32Array {
  const table = new Uint32Array(0x10000);
  const subnormals = new Uint32Array(Float32Array.from({ length: 0x400 }, (_, mantissa) => mantissa * 2 ** -24).buffer);
  for (let half = 0; half < 0x8000; half++) {
    let bits = (half << 13) + 0x38000000;
    if (half < 0x400) bits = subnormals[half]!;
    else if (half >= 0x7c00) bits = 0x7f800000 | ((half & 0x3ff) << 13);
    table[half] = bits;
    table[half | 0x8000] = bits | 0x80000000;
  }
  return table;
}
