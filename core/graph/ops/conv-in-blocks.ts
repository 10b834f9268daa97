import { ints } from "../emitter.js";
import { apply, type OpDefinition, type Value } from "../value.js";
import type { Padding } from "./conv-as-product.js";
import { reshape, transpose } from "./reshape.js";

/**
 * Convolutions with channels in blocks: onnxruntime's fastest on CPUs, which it takes of itself where weights are constants. Where they
 * are fed, the same operators (its domain com.microsoft.nchwc) can be written, with the weights rearranged at each run. [B, C, H, W]
 * lies in memory as [B, C/n, H, W, n], weights [K, C, R, S] as [K/n, C/n, R, S, n of C, n of K].
 * Measured for 16 pictures of 16×16, 96 to 96 channels, one thread: 10.4 ms as Conv, 9.2 ms so; 8×8: 4.0 as a product, 3.3 so.
 */

/** Channels must come in whole blocks, and pictures be large or many beside the weights that are rearranged. */
export function blocksPay(x: Value, weight: Value, block: number | undefined): block is number {
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const [k, c, r, s] = weight.shape as [number, number, number, number];
  const whole = block !== undefined && k % block === 0 && c % block === 0;
  return whole && r * s > 1 && batch * height * width >= 2 * Math.max(k, c);
}

interface BlockConvolution {
  readonly stride: number;
  readonly padding: Padding;
  /** Height and width of the result. */
  readonly size: readonly [number, number];
  readonly block: number;
}

/** x [B, C, H, W] convolved with weight [K, C, R, S], plus bias [K]: [B, K, H', W']. */
export function convInBlocks(x: Value, weight: Value, bias: Value | undefined, options: BlockConvolution): Value {
  const [k, c, r, s] = weight.shape as [number, number, number, number];
  const n = options.block;
  // [K, C·R·S] to [K/n, C·R·S, n of K], and n of C before it
  const outputsLast = intoBlocks(reshape(weight, [1, k, c, r * s]));
  const blocked = transpose(reshape(outputsLast, [k / n, c / n, n, r * s, n]), [0, 1, 3, 2, 4]);
  return convolveBlocks(x, reshape(blocked, weight.shape), bias, options);
}

/** g [B, K, H', W'] convolved with weight [K, C, R, S] turned by half a turn, K and C exchanged: [B, C, H, W]. */
export function inputGradientInBlocks(g: Value, weight: Value, options: BlockConvolution): Value {
  const [k, c, r, s] = weight.shape as [number, number, number, number];
  const n = options.block;
  // [K, C, R·S] to [K, C/n, R·S, n of C], and blocks of K below those of C
  const inputsLast = reshape(intoBlocks(reshape(weight, [k, c, 1, r * s])), [k / n, n, c / n, r * s, n]);
  const exchanged = reshape(transpose(inputsLast, [2, 0, 3, 1, 4]), [(c * k) / (n * n), r * s, n * n]);
  return convolveBlocks(g, reshape(apply(REVERSE, [exchanged], {})[0]!, [c, k, r, s]), undefined, options);
}

function convolveBlocks(x: Value, blocked: Value, bias: Value | undefined, options: BlockConvolution): Value {
  const inputs = bias === undefined ? [intoBlocks(x), blocked] : [intoBlocks(x), blocked, bias];
  return apply(FROM_BLOCKS, apply(BLOCK_CONV, inputs, options), {})[0]!;
}

const INTO_BLOCKS: OpDefinition<Record<never, never>> = {
  name: "intoBlocks",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, inputs) => e.blocked("ReorderInput", inputs),
  gradient: "not differentiable",
};
/** x [B, C, H, W] with channels in blocks; the shape it goes by stays. */
export const intoBlocks = (x: Value): Value => apply(INTO_BLOCKS, [x], {})[0]!;

const FROM_BLOCKS: OpDefinition<Record<never, never>> = {
  name: "fromBlocks",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, inputs, { outputs: [y] }) => e.blocked("ReorderOutput", inputs, { channels: { int: y!.shape[1]! } }),
  gradient: "not differentiable",
};

const BLOCK_CONV: OpDefinition<BlockConvolution> = {
  name: "blockConv",
  infer: ([x, weight], { size }) => [{ shape: [x!.shape[0]!, weight!.shape[0]!, ...size], dtype: x!.dtype }],
  emit: (e, inputs, { inputs: [, weight], attributes: { stride, padding } }) =>
    e.blocked("Conv", inputs, {
      auto_pad: { string: "NOTSET" },
      kernel_shape: ints(weight!.shape.slice(2)),
      strides: ints([stride, stride]),
      pads: ints(padding),
    }),
  gradient: "not differentiable",
};

const REVERSE: OpDefinition<Record<never, never>> = {
  name: "reverse",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, [x], { inputs: [value] }) => {
    const taps = value!.shape[1]!;
    return e.node("Gather", [x!, e.ints(Array.from({ length: taps }, (_, i) => taps - 1 - i))], { axis: { int: 1 } });
  },
  gradient: "not differentiable",
};
