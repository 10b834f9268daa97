import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { type Shape, sizeOf } from "../../core/graph/value.js";

const BLOCK = 2 ** 20;
/** exp of it is the factor of CLIP's cosines, 100. */
const LOGIT_SCALE = Math.log(100);

/**
 * Random weights quickly: parts of one block of normal numbers, each tensor beginning at a place of its own. Good for measuring, and for
 * nothing else.
 */
export class RandomBlock {
  readonly #normals: Float32Array;
  #start = 0;

  constructor(seed: bigint) {
    this.#normals = createPhiloxStream(seed, { iteration: 0, index: 0, purpose: 0 }).normals(BLOCK);
  }

  /** Norms are near 1 and 0, other weights have the deviation 1/√fan-in, biases and embeddings 0.02: states stay finite. */
  weight(name: string, shape: Shape): Float32Array {
    const values = new Float32Array(sizeOf(shape));
    if (name === "logit_scale") return values.fill(LOGIT_SCALE);
    const isNorm = /(norm|ln_|LayerNorm)[^.]*\.(weight|bias)$/.test(name);
    const fanIn = sizeOf(shape.slice(1));
    const deviation = isNorm || shape.length < 2 || /embed/.test(name) ? 0.02 : 1 / Math.sqrt(fanIn);
    const offset = isNorm && name.endsWith("weight") ? 1 : 0;
    this.#start = (this.#start + 7919) % BLOCK;
    for (let i = 0; i < values.length; i++) values[i] = offset + deviation * this.#normals[(this.#start + i) % BLOCK]!;
    return values;
  }
}
