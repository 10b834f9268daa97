/**
 * Conversions between float32 and the 16-bit formats of weight files: IEEE 754 binary16 (F16) and bfloat16 (BF16).
 * Rounding is to nearest, ties to even, as in torch; NaN stays NaN.
 */

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Every binary16 pattern as float32, built on first use (256 KiB): a look-up beats bit arithmetic for whole tensors. */
let halfTable: Float32Array | undefined;

function buildHalfTable(): Float32Array {
  const table = new Float32Array(1 << 16);
  const bits = new Uint32Array(table.buffer);
  for (let half = 0; half < 1 << 16; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    if (exponent === 0) table[half] = (sign === 0 ? 1 : -1) * mantissa * 2 ** -24;
    else if (exponent === 31) bits[half] = sign | 0x7f800000 | (mantissa << 13);
    else bits[half] = sign | ((exponent + 112) << 23) | (mantissa << 13);
  }
  return table;
}

/** @returns float32 values of binary16 bit patterns, exactly. */
export function float16ToFloat32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  halfTable ??= buildHalfTable();
  const table = halfTable;
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]!]!;
  return out;
}

/** @returns binary16 bit patterns, rounded to nearest even; magnitudes from 65520 on become infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const sign = (source[i]! >>> 16) & 0x8000;
    const magnitude = source[i]! & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      out[i] = sign | 0x7e00;
    } else if (magnitude >= 0x47800000) {
      out[i] = sign | 0x7c00;
    } else if (magnitude < 0x38800000) {
      // Subnormal: adding 0.5 aligns the mantissa so that the float32 rounding is the one wanted.
      scratchBits[0] = magnitude;
      scratch[0] = scratch[0]! + 0.5;
      out[i] = sign | (scratchBits[0]! - 0x3f000000);
    } else {
      // Re-bias the exponent by 15 - 127, add half a unit less one, and one more when the kept part is odd.
      out[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
  return out;
}

/** @returns float32 values of bfloat16 bit patterns, exactly. */
export function bfloat16ToFloat32(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(patterns.length);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < patterns.length; i++) bits[i] = patterns[i]! << 16;
  return out;
}

/** @returns bfloat16 bit patterns, rounded to nearest even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const bits = source[i]!;
    const nan = (bits & 0x7fffffff) > 0x7f800000;
    out[i] = nan ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return out;
}
