import { normalFromWord } from "../../core/diffusion/inverse-normal.js";
import type { PhiloxStream } from "../../core/diffusion/philox.js";
import { type Shape, sizeOf } from "../../core/graph/value.js";
import type { ParameterShapes } from "../../core/models/parameter-shapes.js";

/** Standard deviation of CLIP's embeddings before training. */
const EMBEDDING_DEVIATION = 0.02;

/**
 * A parameter's values as its layer's class draws them before training: 1 and 0 in norms, normals in embeddings, elsewhere PyTorch's
 * uniform numbers within ±1/√fan-in, biases with the fan-in of their layer's weight. A forward pass stays finite, in float16 too.
 *
 * @param shapes of all the network's parameters, by name
 */
export function randomWeight(
  name: string,
  shape: Shape,
  shapes: ParameterShapes,
  stream: PhiloxStream,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(sizeOf(shape));
  if (/norm/.test(name)) return values.fill(name.endsWith(".weight") ? 1 : 0);
  if (name.endsWith("_embedding.weight")) {
    return values.map(() => EMBEDDING_DEVIATION * normalFromWord(stream.uint32()));
  }
  const [, ...inputs] = shapes.get(name.replace(/bias$/, "weight"))!;
  const bound = 1 / Math.sqrt(sizeOf(inputs));
  const scale = (2 * bound) / 2 ** 32;
  return values.map(() => (stream.uint32() + 0.5) * scale - bound);
}
