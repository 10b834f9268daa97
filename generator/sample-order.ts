import { philox4x32 } from "../core/diffusion/philox.js";
import { type NoiseKey, PURPOSE } from "./noise-purposes.js";

/** Rounds of the Feistel network: four make a permutation that looks random (Luby & Rackoff 1988), two more cost nothing. */
const ROUNDS = 6;

/**
 * Which item of the data set sample `index` shows: each pass shows every item once, in an order of its own. Computed for one
 * sample alone, without a shuffled list: a Feistel network over the next even number of bits, walked until it lands
 * inside the set (Black & Rogaway 2002, "Ciphers with arbitrary finite domains").
 *
 * @param index of the sample, from 0 to 2³² − 1
 * @param size items in the data set, 1 to 2³²
 */
export function itemOfSample(key: NoiseKey, index: number, size: number): number {
  const pass = Math.floor(index / size);
  const halfBits = Math.max(1, Math.ceil(Math.log2(size) / 2));
  const half = 2 ** halfBits;
  const philoxKey = [Number(key.seed & 0xffffffffn), Number(key.seed >> 32n)] as const;
  let item = index % size;
  do {
    let left = Math.floor(item / half);
    let right = item % half;
    for (let round = 0; round < ROUNDS; round++) {
      const counter = [key.iteration, pass, PURPOSE.datasetOrder, round * 0x10000 + right] as const;
      const [word] = philox4x32(counter, philoxKey);
      [left, right] = [right, (left ^ word) & (half - 1)];
    }
    item = left * half + right;
  } while (item >= size);
  return item;
}
