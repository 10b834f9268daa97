import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { linear } from "../../nn/layers.js";
import type { Parameters } from "../../nn/parameters.js";

interface TimestepOptions {
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
}

/**
 * Sinusoidal features of timesteps (Ho et al. 2020, after Vaswani et al. 2017 §3.5), as diffusers' `get_timestep_embedding`.
 *
 * @param timesteps [B], float.
 * @returns [B, width]: sines then cosines, or the reverse with `flipSinToCos`.
 */
export function timestepFeatures(timesteps: Value, width: number, { flipSinToCos, freqShift }: TimestepOptions): Value {
  const half = width >> 1;
  const frequencies = Array.from({ length: half }, (_, i) => Math.exp((-Math.log(10000) * i) / (half - freqShift)));
  const angles = ops.mul(ops.reshape(timesteps, [timesteps.shape[0]!, 1]), ops.constant(frequencies, [1, half]));
  const waves = [ops.sin(angles), ops.cos(angles)];
  const features = ops.concat(flipSinToCos ? waves.reverse() : waves, 1);
  return width % 2 === 0 ? features : ops.pad(features, [0, 0], [0, 1]);
}

/** diffusers' TimestepEmbedding: features [B, C] to [B, width]. */
export function timeEmbedding(p: Parameters, features: Value, width: number): Value {
  return linear(p.at("linear_2"), ops.silu(linear(p.at("linear_1"), features, width)), width);
}
