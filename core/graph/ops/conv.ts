import { ints } from "../emitter.js";
import { apply, type OpDefinition, shapeError, type Value } from "../value.js";
import {
  convAsProduct,
  fromTapsInRows,
  inputGradientAsProduct,
  type Padding,
  productGradientPays,
  productPays,
} from "./conv-as-product.js";
import { blocksPay, convInBlocks, inputGradientInBlocks } from "./conv-in-blocks.js";
import { slice } from "./movement.js";
import { reduceSum } from "./reduce.js";
import { reshape, transpose } from "./reshape.js";

interface ConvAttributes {
  readonly stride: number;
  readonly padding: Padding;
  readonly dilation: readonly [number, number];
}

const CONV: OpDefinition<ConvAttributes> = {
  name: "conv",
  precision: "half",
  infer: (inputs, { stride, padding: [top, left, bottom, right], dilation }) => {
    const [x, weight, bias] = inputs;
    const fits = x!.shape.length === 4 && weight!.shape.length === 4 && x!.shape[1] === weight!.shape[1];
    if (!fits || (bias !== undefined && bias.shape.join() !== `${weight!.shape[0]}`)) {
      throw shapeError("conv", inputs, "x [B, C, H, W], weight [K, C, R, S], bias [K]");
    }
    const [b, , h, w] = x!.shape as [number, number, number, number];
    const [k, , r, s] = weight!.shape as [number, number, number, number];
    const height = Math.floor((h + top + bottom - dilation[0] * (r - 1) - 1) / stride) + 1;
    const width = Math.floor((w + left + right - dilation[1] * (s - 1) - 1) / stride) + 1;
    if (height < 1 || width < 1) throw shapeError("conv", inputs, "an input no smaller than the kernel");
    return [{ shape: [b, k, height, width], dtype: x!.dtype }];
  },
  lower: (inputs, { stride, padding, dilation }, { isFed, block }) => {
    const [x, weight, bias] = inputs;
    if (dilation.join() !== "1,1" || !isFed(weight!)) return undefined;
    if (blocksPay(x!, weight!, block)) {
      const [, , ...size] = CONV.infer(inputs, { stride, padding, dilation })[0]!.shape as [
        number,
        number,
        number,
        number,
      ];
      return [convInBlocks(x!, weight!, bias, { stride, padding, size, block })];
    }
    return stride === 1 && productPays(x!, weight!) ? [convAsProduct(x!, weight!, bias, padding)] : undefined;
  },
  emit: (e, inputs, { attributes: { stride, padding, dilation }, inputs: [, weight] }) =>
    e.node("Conv", inputs, {
      kernel_shape: ints(weight!.shape.slice(2)),
      strides: ints([stride, stride]),
      pads: ints(padding),
      dilations: ints(dilation),
    }),
  // y = x ⋆ w + b:  dx and dw are convolutions too, db the sum over all positions
  gradient: ([g], { inputs, attributes }) => {
    const [x, weight, bias] = inputs;
    if (attributes.dilation.join() !== "1,1") throw shapeError("gradient of conv", inputs, "a dilation of 1");
    const size = x!.shape.slice(2) as [number, number];
    const dx = apply(CONV_TRANSPOSE, [g!, weight!], { ...attributes, size })[0]!;
    const gradients = [dx, weightGradient(g!, x!, weight!, attributes)];
    return bias === undefined ? gradients : [...gradients, reshape(reduceSum(g!, [0, 2, 3]), bias.shape)];
  },
};

interface ConvOptions {
  readonly stride?: number;
  /** The same on all sides, or top, left, bottom, right. */
  readonly padding?: number | Padding;
}

/** Cross-correlation of x [B, C, H, W] with weight [K, C, R, S], plus bias [K]: [B, K, H', W']. */
export function conv(x: Value, weight: Value, bias?: Value, { stride = 1, padding = 0 }: ConvOptions = {}): Value {
  const sides: Padding = typeof padding === "number" ? [padding, padding, padding, padding] : padding;
  const inputs = bias === undefined ? [x, weight] : [x, weight, bias];
  return apply(CONV, inputs, { stride, padding: sides, dilation: [1, 1] })[0]!;
}

/**
 * dw as one dilated convolution: x laid out as [1, B, H, W·C] is the image, g as [K, B, H', W'] the kernel, and the
 * stride becomes the dilation, so that output [1, K, R, S·C] is the gradient: no column buffer, nothing summed twice. A column of
 * padding is C elements wide there.
 */
function weightGradient(g: Value, x: Value, weight: Value, { stride, padding }: ConvAttributes): Value {
  const [top, left, bottom, right] = padding;
  const [k, c, r, s] = weight.shape as [number, number, number, number];
  const [b, , h, w] = x.shape as [number, number, number, number];
  const image = reshape(transpose(x, [0, 2, 3, 1]), [1, b, h, w * c]);
  const kernel = transpose(g, [1, 0, 2, 3]); // [K, B, H', W']
  const sides = [top, left * c, bottom, right * c] as const;
  const whole = apply(CONV, [image, kernel], { stride: 1, padding: sides, dilation: [stride, stride * c] })[0]!;
  const gradient = slice(slice(whole, 2, 0, r), 3, 0, s * c); // a stride that leaves a rest sees more positions than the kernel has
  return fromTapsInRows(reshape(gradient, [k, r * s * c]), [k, c, r, s]);
}

interface ConvTransposeAttributes {
  readonly stride: number;
  readonly padding: Padding;
  /** Height and width of the result: which of the sizes that convolve to the same one is meant. */
  readonly size: readonly [number, number];
}

/** dx of a convolution: ONNX's transposed one, or at stride 1 a convolution of g with the rotated weight, which is faster. */
const CONV_TRANSPOSE: OpDefinition<ConvTransposeAttributes> = {
  name: "convTranspose",
  precision: "half",
  infer: ([g, weight], { size }) => [{ shape: [g!.shape[0]!, weight!.shape[1]!, ...size], dtype: g!.dtype }],
  lower: ([g, weight], { stride, padding, size }, { isFed, block }) => {
    if (stride !== 1) return undefined;
    const sides = fullPadding(g!, weight!, padding, size);
    if (isFed(weight!) && blocksPay(g!, weight!, block)) {
      return [inputGradientInBlocks(g!, weight!, { stride, padding: sides, size, block })];
    }
    return isFed(weight!) && productGradientPays(g!, weight!)
      ? [inputGradientAsProduct(g!, weight!, sides)]
      : [conv(g!, transpose(rotate(weight!), [1, 0, 2, 3]), undefined, { padding: sides })];
  },
  emit: (e, inputs, { inputs: [g, weight], attributes: { stride, padding, size } }) => {
    const spare = [0, 1].map((i) => {
      const covered = (g!.shape[2 + i]! - 1) * stride + weight!.shape[2 + i]! - padding[i]! - padding[i + 2]!;
      return size[i]! - covered;
    });
    return e.node("ConvTranspose", inputs, {
      kernel_shape: ints(weight!.shape.slice(2)),
      strides: ints([stride, stride]),
      pads: ints(padding),
      output_padding: ints(spare),
    });
  },
  // the transpose of a linear map: its gradients are the convolution's own, with the roles exchanged
  gradient: ([g], { inputs: [y, weight], attributes }) => {
    const convolution = { ...attributes, dilation: [1, 1] as const };
    return [apply(CONV, [g!, weight!], convolution)[0]!, weightGradient(y!, g!, weight!, convolution)];
  },
};

/** The padding with which a convolution of g at stride 1 has the size of the input. */
function fullPadding(g: Value, weight: Value, [top, left]: Padding, [h, w]: readonly [number, number]): Padding {
  const [r, s] = weight.shape.slice(2) as [number, number];
  const [gh, gw] = g.shape.slice(2) as [number, number];
  return [r - 1 - top, s - 1 - left, h + top - gh, w + left - gw];
}

const ROTATE: OpDefinition<Record<never, never>> = {
  name: "rotate",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, [x]) => e.node("Slice", [x!, e.ints([-1, -1]), e.ints([-1e9, -1e9]), e.ints([2, 3]), e.ints([-1, -1])]),
  // a permutation that is its own inverse
  gradient: ([g]) => [rotate(g!)],
};

/** A kernel [K, C, R, S] turned by half a turn in its last two axes. */
const rotate = (weight: Value): Value =>
  weight.shape[2] === 1 && weight.shape[3] === 1 ? weight : apply(ROTATE, [weight], {})[0]!;
