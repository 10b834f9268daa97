import { pickConditions } from "../core/runtime/conditions.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";
import { type BatchInputs, type BeforeRun, type DrawSide, type FrozenModel, unetConditions } from "./draws.js";

/** A side whose e_k is not known yet. */
type Asked = Pick<DrawSide, "noisyLatents" | "target">;

/**
 * e_k of draws by evaluating θ_k at them: rows of all sides in order, `perRun` at a time, the last run filled up with its last row. Runs
 * of one size need one compiled UNet, the one that the sampler uses.
 *
 * @param timesteps of the N rows, the same for each side
 * @returns [N] per side
 */
export async function referenceErrors(
  model: Pick<FrozenModel, "denoise">,
  sides: readonly Asked[],
  timesteps: Int32Array,
  inputs: BatchInputs,
  perRun: number,
  beforeRun: BeforeRun,
): Promise<Float32Array[]> {
  const { shape, data } = inputs.real;
  const [numSamples, ...latent] = shape as [number, ...number[]];
  const size = data.length / numSamples;
  const [rows, draws] = [timesteps.length, timesteps.length / numSamples];
  const errors = sides.map(() => new Float32Array(rows));

  const x: FloatTensor = { shape: [perRun, ...latent], data: new Float32Array(perRun * size) };
  const at = new Float32Array(perRun);
  const total = sides.length * rows;
  for (let start = 0; start < total; start += perRun) {
    const samples: number[] = [];
    for (let i = 0; i < perRun; i++) {
      const place = Math.min(start + i, total - 1);
      const row = place % rows;
      samples.push(Math.floor(row / draws));
      x.data.set(sides[Math.floor(place / rows)]!.noisyLatents.subarray(row * size, (row + 1) * size), i * size);
      at[i] = timesteps[row]!;
    }
    beforeRun(perRun);
    const output = await model.denoise(x, at, pickConditions(unetConditions(inputs), samples));
    for (let place = start; place < Math.min(start + perRun, total); place++) {
      const [side, row] = [Math.floor(place / rows), place % rows];
      const target = sides[side]!.target.subarray(row * size, (row + 1) * size);
      errors[side]![row] = meanSquare(target, output.subarray((place - start) * size, (place - start + 1) * size));
    }
  }
  return errors;
}

/** Mean of (a − b)², summed in double precision. */
export function meanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}
