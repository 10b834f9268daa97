import { createPhiloxStream, type PhiloxStream } from "../../core/diffusion/philox.js";
import { type Shape, sizeOf } from "../../core/graph/value.js";

/**
 * Draws a parameter's first values from its name and shape alone, as each layer's PyTorch class would.
 *
 * @param tokenScale deviation of the token embeddings. CLIP's 0.02 suits a contrastive loss; under a denoising loss, which
 *   tells little of captions at first, such small embeddings drown in what all captions share before they are learnt.
 */
export function initialWeights(seed: bigint, tokenScale = 0.02): (name: string, shape: Shape) => Float32Array {
  let index = 0;
  return (name, shape) => {
    const stream = createPhiloxStream(seed, { iteration: 0, index: index++, purpose: 0 });
    const size = sizeOf(shape);
    if (/norm|layrnorm/.test(name)) return new Float32Array(size).fill(name.endsWith("weight") ? 1 : 0);
    if (name.endsWith("bias")) return new Float32Array(size);
    if (name === "logit_scale") return new Float32Array([Math.log(1 / 0.07)]);
    if (name.includes("token_embedding")) return scaled(stream.normals(size), tokenScale);
    if (/embedding/.test(name) && !/patch|time/.test(name)) return scaled(stream.normals(size), 0.02);
    // Residual branches that begin at zero let a small model train fast (Dhariwal & Nichol 2021, ADM).
    if (
      /(conv2|proj_out|conv_out|to_out\.0|out_proj|net\.2|fc2)\.weight$/.test(name) &&
      !name.includes("coder.conv_out")
    ) {
      return scaled(stream.normals(size), 0.02 / Math.sqrt(size / shape[0]!));
    }
    return uniform(stream, size, 1 / Math.sqrt(size / shape[0]!));
  };
}

function scaled(values: Float32Array, by: number): Float32Array {
  return values.map((value) => value * by);
}

/** torch's default for linear and convolution weights: uniform within ±1/√fanIn. */
function uniform(stream: PhiloxStream, size: number, bound: number): Float32Array {
  return Float32Array.from({ length: size }, () => (2 * stream.uniform() - 1) * bound);
}
