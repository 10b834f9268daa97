import { SpinError } from "../errors.js";
import { normalFromWord } from "./inverse-normal.js";

/** Which random numbers: each address has a stream of its own, independent of all others. All unsigned 32-bit. */
export interface PhiloxAddress {
  readonly iteration: number;
  /** Index of the sample in the iteration. */
  readonly index: number;
  /** What the numbers are for; the callers' own numbering. */
  readonly purpose: number;
}

/** The random numbers at one address, in order. */
export interface PhiloxStream {
  /** Uniform 32-bit word. */
  uint32(): number;
  /** Uniform in [0, 1), 53 bits; takes two words. */
  uniform(): number;
  /** Uniform among 0 … bound − 1, without bias, for 1 ≤ bound ≤ 2³². */
  integer(bound: number): number;
  /** Standard normals in float32, one word each. */
  normals(count: number): Float32Array;
}

type Words4 = readonly [number, number, number, number];

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const WORDS = 0x1_0000_0000;

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words as a function of
 * counter and key alone.
 */
export function philox4x32(counter: Words4, key: readonly [number, number]): [number, number, number, number] {
  const block = new Uint32Array(4);
  writeBlock(block, counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  return [block[0]!, block[1]!, block[2]!, block[3]!];
}

/**
 * The stream of random numbers at an address: key = seed, counter = (iteration, index, purpose, block). It depends on
 * nothing else, so any replica can draw any sample's numbers.
 *
 * @param seed unsigned 64-bit
 * @throws SpinError `invalid` when seed or address do not fit.
 */
export function createPhiloxStream(seed: bigint, address: PhiloxAddress): PhiloxStream {
  const { iteration, index, purpose } = address;
  if (seed !== BigInt.asUintN(64, seed)) {
    throw new SpinError("invalid", `seed is ${seed}, expected 0 to 2^64 - 1`, { field: "seed" });
  }
  for (const [field, value] of Object.entries({ iteration, index, purpose })) {
    if (value !== value >>> 0) {
      throw new SpinError("invalid", `${field} of random numbers is ${value}, expected 0 to 2^32 - 1`, { field });
    }
  }
  const keyLow = Number(seed & 0xffffffffn);
  const keyHigh = Number(seed >> 32n);
  const words = new Uint32Array(4);
  let block = 0;
  let used = 4;

  const uint32 = (): number => {
    if (used === 4) {
      if (block === WORDS) throw new SpinError("internal", `random numbers of purpose ${purpose} are used up`);
      writeBlock(words, iteration, index, purpose, block++, keyLow, keyHigh);
      used = 0;
    }
    return words[used++]!;
  };

  return {
    uint32,
    uniform() {
      const high = uint32() >>> 5;
      return (high * 0x400_0000 + (uint32() >>> 6)) / 0x20_0000_0000_0000;
    },
    integer(bound) {
      if (!(Number.isInteger(bound) && bound >= 1 && bound <= WORDS)) {
        throw new SpinError("internal", `random integer below ${bound}: expected a bound from 1 to 2^32`);
      }
      // Words from the largest multiple of the bound on would favour the small remainders.
      const limit = WORDS - (WORDS % bound);
      for (;;) {
        const word = uint32();
        if (word < limit) return word % bound;
      }
    },
    normals(count) {
      const out = new Float32Array(count);
      for (let i = 0; i < count; i++) out[i] = normalFromWord(uint32());
      return out;
    },
  };
}

function writeBlock(out: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit words, from products of their halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (carry >>> 16);
}
