import { SpinError } from "../errors.js";
import { createMersenneTwister } from "./mersenne-twister.js";

/** torch.Generator("cpu"): the same calls in the same order give torch's numbers. */
export interface TorchGenerator {
  /**
   * torch.randn(shape, float32), flattened: standard normals. Equal to torch's within float32 rounding of log and cos.
   */
  randn(count: number): Float32Array;
  /** torch.rand(shape, float32), flattened: uniform in [0, 1). */
  rand(count: number): Float32Array;
  /** torch.randint(low, high, shape), flattened: integers in [low, high). */
  randint(low: number, high: number, count: number): number[];
}

const f32 = Math.fround;
/** Half of the block in which torch's vectorised Box–Muller pairs uniforms: element j with element j + 8. */
const HALF_BLOCK = 8;
const BLOCK = 2 * HALF_BLOCK;
const TWO_PI = f32(2 * Math.PI);
/** From here on torch versions disagree on how many bits a random integer takes. */
const MAX_RANDINT_RANGE = 2 ** 28;

/**
 * torch.Generator("cpu").manual_seed(seed): mt19937 seeded with the low 32 bits, as torch does.
 *
 * @param seed any integer; a negative one counts from 2⁶⁴
 */
export function createTorchGenerator(seed: bigint | number): TorchGenerator {
  const nextUint32 = createMersenneTwister(Number(BigInt.asUintN(32, BigInt(seed))));
  // float32 takes the low 24 bits, float64 the low 53 bits of two draws, the first draw on top.
  const uniform24 = () => (nextUint32() & 0xffffff) / 2 ** 24;
  const uniform53 = () => {
    const high = nextUint32() & 0x1fffff;
    return (high * 2 ** 32 + nextUint32()) / 2 ** 53;
  };
  // Box–Muller makes two normals; torch keeps the second for the next short call.
  let spare: number | undefined;

  const normal = (): number => {
    if (spare !== undefined) {
      const kept = spare;
      spare = undefined;
      return kept;
    }
    const angle = 2 * Math.PI * uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-uniform53()));
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };

  return {
    rand: (count) => Float32Array.from({ length: count }, uniform24),
    randn(count) {
      if (count < BLOCK) return Float32Array.from({ length: count }, normal);
      const values = Float32Array.from({ length: count }, uniform24);
      for (let start = 0; start + BLOCK <= count; start += BLOCK) boxMuller(values, start);
      if (count % BLOCK !== 0) {
        // The rest does not fill a block: torch draws the last 16 values anew.
        const start = count - BLOCK;
        for (let i = start; i < count; i++) values[i] = uniform24();
        boxMuller(values, start);
      }
      return values;
    },
    randint(low, high, count) {
      const range = high - low;
      if (!(Number.isSafeInteger(low) && Number.isSafeInteger(high) && range > 0 && range < MAX_RANDINT_RANGE)) {
        throw new SpinError("invalid", `randint from ${low} to ${high}: expected low < high, less than 2^28 apart`);
      }
      return Array.from({ length: count }, () => low + (nextUint32() % range));
    },
  };
}

/**
 * Turns 16 uniforms into normals in place: √(−2 ln(1−u_j)) (cos, sin)(2π u_{j+8}), rounded to float32 where torch
 * rounds.
 */
function boxMuller(values: Float32Array, start: number): void {
  for (let j = start; j < start + HALF_BLOCK; j++) {
    const radius = f32(Math.sqrt(f32(-2 * f32(Math.log(1 - values[j]!)))));
    const angle = f32(TWO_PI * values[j + HALF_BLOCK]!);
    values[j] = radius * f32(Math.cos(angle));
    values[j + HALF_BLOCK] = radius * f32(Math.sin(angle));
  }
}
