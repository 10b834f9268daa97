import * as ops from "../graph/ops/index.js";
import type { Value } from "../graph/value.js";
import { LORA_A, LORA_B, loraScale } from "./lora.js";
import type { Parameters } from "./parameters.js";

/** torch.nn.Linear: x [..., I] to [..., O]; weight [O, I], bias [O]. With an adapter: plus scale·(x·Aᵀ)·Bᵀ. */
export function linear(p: Parameters, x: Value, outFeatures: number, { bias = true } = {}): Value {
  const inFeatures = x.shape.at(-1)!;
  const weight = p.get("weight", [outFeatures, inFeatures]);
  const product = ops.matmul(x, weight, { transposeB: true });
  const y = bias ? ops.add(product, p.get("bias", [outFeatures])) : product;
  if (p.lora === undefined) return y;
  const { rank } = p.lora;
  const down = ops.matmul(x, p.get(LORA_A, [rank, inFeatures]), { transposeB: true });
  const up = { transposeB: true, alpha: loraScale(p.lora) };
  return ops.add(y, ops.matmul(down, p.get(LORA_B, [outFeatures, rank]), up));
}

/** As {@link linear}, in parts of these widths: each by rows of its own of the weight, so that no output must be cut. */
export function linearParts(p: Parameters, x: Value, widths: readonly number[]): readonly Value[] {
  const [inFeatures, outFeatures] = [x.shape.at(-1)!, widths.reduce((sum, width) => sum + width, 0)];
  const rows = (name: string, ...shape: number[]) => ops.split(p.get(name, [outFeatures, ...shape]), 0, widths);
  const [weights, biases] = [rows("weight", inFeatures), rows("bias")];
  const parts = weights.map((weight, i) => ops.add(ops.matmul(x, weight, { transposeB: true }), biases[i]!));
  if (p.lora === undefined) return parts;
  const { rank } = p.lora;
  const down = ops.matmul(x, p.get(LORA_A, [rank, inFeatures]), { transposeB: true });
  const up = { transposeB: true, alpha: loraScale(p.lora) };
  return rows(LORA_B, rank).map((b, i) => ops.add(parts[i]!, ops.matmul(down, b, up)));
}

interface ConvOptions {
  readonly kernel?: number;
  readonly stride?: number;
  readonly padding?: number | ops.Padding;
  readonly bias?: boolean;
}

/**
 * torch.nn.Conv2d: x [B, C, H, W] to [B, K, H', W']; 3×3 with padding 1 where nothing is said. With an adapter: plus a
 * convolution of the same kind to as many channels as its rank, then scale times a 1×1 convolution.
 */
export function conv2d(p: Parameters, x: Value, outChannels: number, options: ConvOptions = {}): Value {
  const { kernel = 3, stride = 1, padding = (kernel - 1) >> 1, bias = true } = options;
  const inChannels = x.shape[1]!;
  const weight = p.get("weight", [outChannels, inChannels, kernel, kernel]);
  const y = ops.conv(x, weight, bias ? p.get("bias", [outChannels]) : undefined, { stride, padding });
  if (p.lora === undefined) return y;
  const { rank } = p.lora;
  const down = ops.conv(x, p.get(LORA_A, [rank, inChannels, kernel, kernel]), undefined, { stride, padding });
  const up = p.get(LORA_B, [outChannels, rank, 1, 1]);
  return ops.add(y, ops.conv(ops.mul(down, loraScale(p.lora)), up));
}

/** torch.nn.GroupNorm: statistics over each of `groups` groups of channels of x [B, C, ...] (Wu & He 2018, eq. 1). */
export function groupNorm(p: Parameters, x: Value, groups: number, epsilon: number): Value {
  const channels = x.shape[1]!;
  return ops.groupNorm(x, p.get("weight", [channels]), p.get("bias", [channels]), groups, epsilon);
}

/** torch.nn.LayerNorm over the last axis. */
export function layerNorm(p: Parameters, x: Value, epsilon: number): Value {
  const width = x.shape.at(-1)!;
  return ops.layerNorm(x, p.get("weight", [width]), p.get("bias", [width]), epsilon);
}

/** torch.nn.Embedding: ids [...] to rows [..., C] of the table [V, C]. */
export function embedding(p: Parameters, ids: Value, count: number, width: number): Value {
  return ops.gather(p.get("weight", [count, width]), ids);
}
