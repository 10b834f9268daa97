import { float } from "../emitter.js";
import {
  apply,
  type FloatDType,
  type GradientRule,
  type OpDefinition,
  type Shape,
  shapeError,
  type Value,
} from "../value.js";
import { scalar } from "./leaf.js";

type None = Record<never, never>;
type UnaryRule = (g: Value, x: Value, y: Value) => Value;

const unaryDefinition = (onnx: string, rule: UnaryRule, precision?: "float"): OpDefinition<None> => ({
  precision,
  name: onnx.toLowerCase(),
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, inputs) => e.node(onnx, inputs),
  gradient: ([g], { inputs: [x], y }) => [rule(g!, x!, y)],
});

const binaryDefinition = (
  onnx: string,
  gradient: GradientRule<None>,
  anew?: OpDefinition<None>["anew"],
): OpDefinition<None> => ({
  anew,
  name: onnx.toLowerCase(),
  infer: ([a, b]) => [{ shape: broadcast(onnx.toLowerCase(), a!, b!), dtype: a!.dtype }],
  emit: (e, inputs) => e.node(onnx, inputs),
  gradient,
});

/** Computed as before, where all inputs are kept for the gradient. */
const onceMore: OpDefinition<unknown>["anew"] = ({ definition, inputs, attributes }, late, isKept) =>
  inputs.every(isKept) ? apply(definition, inputs.map(late), attributes) : undefined;

/** Shape of `a ∘ b` under NumPy's broadcasting rules. */
function broadcast(op: string, a: Value, b: Value): Shape {
  if (a.dtype !== b.dtype) throw shapeError(op, [a, b], "one element type");
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[a.shape.length - rank + i] ?? 1;
    const y = b.shape[b.shape.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw shapeError(op, [a, b], "shapes that broadcast");
    return x === 1 ? y : x;
  });
}

const unary = (definition: OpDefinition<None>) => (x: Value) => apply(definition, [x], {})[0]!;
/** Numbers stand for scalars of the other side's type, so that formulas read as formulas. */
const binary = (definition: OpDefinition<None>) => (a: Value | number, b: Value | number) =>
  apply(definition, [toValue(a, b), toValue(b, a)], {})[0]!;
const toValue = (x: Value | number, beside: Value | number) =>
  typeof x === "number" ? scalar(x, typeof beside === "number" ? undefined : (beside.dtype as FloatDType)) : x;

// Gradients keep the output's shape here; the walker sums them back over what was broadcast.
export const add = binary(binaryDefinition("Add", ([g]) => [g, g])); // d(a+b) = da + db
export const sub = binary(binaryDefinition("Sub", ([g]) => [g, neg(g!)])); // d(a−b) = da − db
export const mul = binary(binaryDefinition("Mul", ([g], { inputs: [a, b] }) => [mul(g!, b!), mul(g!, a!)], onceMore)); // d(ab) = b da + a db
// d(a/b) = da/b − (a/b)/b db
export const div = binary(
  binaryDefinition("Div", ([g], { inputs: [, b], y }) => {
    const ga = div(g!, b!);
    return [ga, neg(mul(ga, y))];
  }),
);

export const neg = unary(unaryDefinition("Neg", (g) => neg(g))); // d(−x) = −dx
export const exp = unary(unaryDefinition("Exp", (g, _x, y) => mul(g, y), "float")); // d(eˣ) = eˣ dx
export const log = unary(unaryDefinition("Log", (g, x) => div(g, x), "float")); // d(ln x) = dx/x
export const sqrt = unary(unaryDefinition("Sqrt", (g, _x, y) => div(mul(g, 0.5), y))); // d(√x) = dx/(2√x)
export const sin = unary(unaryDefinition("Sin", (g, x) => mul(g, cos(x)), "float")); // d sin x = cos x dx
export const cos = unary(unaryDefinition("Cos", (g, x) => neg(mul(g, sin(x))), "float")); // d cos x = −sin x dx
export const sigmoid = unary(unaryDefinition("Sigmoid", (g, _x, y) => mul(g, mul(y, sub(1, y))))); // dσ = σ(1−σ) dx
export const tanh = unary(unaryDefinition("Tanh", (g, _x, y) => mul(g, sub(1, mul(y, y))))); // d tanh = (1−tanh²) dx
export const softplus = unary(unaryDefinition("Softplus", (g, x) => mul(g, sigmoid(x)), "float")); // d ln(1+eˣ) = σ(x) dx
// d erf(x) = 2/√π e^{−x²} dx
export const erf = unary(unaryDefinition("Erf", (g, x) => mul(g, mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x)))))));

/** x², elementwise. */
export const square = (x: Value): Value => mul(x, x);

interface SwishAttributes {
  readonly alpha: number;
}

const SWISH: OpDefinition<SwishAttributes> = {
  name: "swish",
  anew: onceMore,
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, inputs, { attributes: { alpha } }) => e.contrib("QuickGelu", inputs, { alpha: float(alpha) }),
  // y = x σ(αx):  dy = (σ + αy(1−σ)) dx
  gradient: ([g], { inputs: [x], attributes: { alpha }, y }) => {
    const s = sigmoid(alpha === 1 ? x! : mul(x!, alpha));
    const ay = alpha === 1 ? y : mul(y, alpha);
    return [mul(g!, add(ay, mul(s, sub(1, ay))))];
  },
};

/** x·σ(αx). One operator instead of two passes. */
export const swish = (x: Value, alpha: number): Value => apply(SWISH, [x], { alpha })[0]!;
/** SiLU: x·σ(x). */
export const silu = (x: Value): Value => swish(x, 1);
/** OpenAI's approximation of GELU: x·σ(1.702x). */
export const quickGelu = (x: Value): Value => swish(x, 1.702);

const GELU: OpDefinition<None> = {
  name: "gelu",
  anew: onceMore,
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, inputs) => e.node("Gelu", inputs),
  // y = xΦ(x):  dy = (Φ(x) + xφ(x)) dx
  gradient: ([g], { inputs: [x] }) => {
    const cdf = mul(0.5, add(1, erf(mul(x!, Math.SQRT1_2))));
    const xpdf = mul(x!, exp(add(mul(mul(x!, x!), -0.5), -0.5 * Math.log(2 * Math.PI))));
    return [mul(g!, add(cdf, xpdf))];
  },
};

/** GELU by the error function: x·Φ(x) (Hendrycks & Gimpel 2016, eq. 1). */
export const gelu = unary(GELU);

interface ClipAttributes {
  readonly min: number;
  readonly max: number;
}

const CLIP: OpDefinition<ClipAttributes> = {
  precision: "float",
  name: "clip",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, [x], { attributes: { min, max } }) => e.node("Clip", [x!, e.floats([min]), e.floats([max])]),
  // dy = dx inside the range, 0 outside
  gradient: ([g], { inputs: [x], y }) => [mul(g!, equalMask(x!, y))],
};

/** Limits x to [min, max]. */
export const clip = (x: Value, min: number, max: number): Value => apply(CLIP, [x], { min, max })[0]!;

const EQUAL_MASK: OpDefinition<None> = {
  precision: "float",
  name: "equalMask",
  infer: ([a, b]) => [{ shape: broadcast("equalMask", a!, b!), dtype: a!.dtype }],
  emit: (e, inputs) => e.node("Cast", e.node("Equal", inputs), { to: { int: 1 } }),
  gradient: "not differentiable",
};

/** 1 where a = b, else 0. */
export const equalMask = (a: Value, b: Value): Value => apply(EQUAL_MASK, [a, b], {})[0]!;
