import { emitModel } from "../graph/onnx.js";
import * as ops from "../graph/ops/index.js";
import { Session } from "../graph/session.js";
import { sizeOf, type Value } from "../graph/value.js";
import { conv2d, linear } from "./layers.js";
import { initialLoraA, LORA_A, LORA_B, type LoraLayer, loraScale, mergeLora } from "./lora.js";
import { Parameters } from "./parameters.js";
import { Training } from "./training.js";

/** Numbers about 0 that differ from name to name. */
const numbers = (name: string, size: number) =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(1 + 2.7 * i + name.length + name.charCodeAt(name.length - 8)));

const X = [2, 3, 7, 5] as const;
const layers: Record<string, (p: Parameters, x: Value) => Value> = {
  "a linear layer": (p, x) => linear(p, x, 4),
  "a linear layer without bias": (p, x) => linear(p, x, 4, { bias: false }),
  "a 3×3 convolution": (p, x) => conv2d(p, x, 4),
  "a 1×1 convolution": (p, x) => conv2d(p, x, 4, { kernel: 1 }),
  "a strided convolution with padding on one side": (p, x) => conv2d(p, x, 4, { stride: 2, padding: [0, 0, 1, 1] }),
};
const lora: LoraLayer = { rank: 3, alpha: 6 };

/** The layer's output with these adapters; its parameters are those of `values`, else numbers by name. */
async function run(
  layer: (p: Parameters, x: Value) => Value,
  adapters: ReadonlyMap<string, LoraLayer>,
  values: ReadonlyMap<string, Float32Array> = new Map(),
) {
  const p = new Parameters();
  const y = layer(p.withLora(adapters).at("layer"), ops.input("x", X));
  const session = await Session.create(emitModel({ y }));
  const weights = [...p.all()].map(([name, { shape }]) => [name, values.get(name) ?? numbers(name, sizeOf(shape))]);
  const feeds = Object.fromEntries(weights) as Record<string, Float32Array>;
  const result = await session.run({ ...feeds, x: numbers("inputs by their name", sizeOf(X)) });
  await session.release();
  return { y: result.y!, weights: new Map(Object.entries(feeds)), shapes: p.all() };
}

const furthest = (a: Float32Array, b: Float32Array) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
const adapted = new Map([["layer", lora]]);

describe.each(Object.entries(layers))("%s", (_, layer) => {
  test("with an adapter computes what it computes with the adapter merged into its weight", async () => {
    const { y, weights, shapes } = await run(layer, adapted);
    const [a, b] = [weights.get(`layer.${LORA_A}`)!, weights.get(`layer.${LORA_B}`)!];
    expect(shapes.get(`layer.${LORA_A}`)!.shape[0]).toBe(3);
    const merged = mergeLora(weights.get("layer.weight")!, a, b, lora);
    const plain = await run(layer, new Map(), new Map([["layer.weight", merged]]));
    expect(furthest(y, plain.y)).toBeLessThan(1e-4);
    expect(furthest(y, (await run(layer, new Map())).y)).toBeGreaterThan(0.5);
  });

  test("with a new adapter computes what it computes without, bit for bit", async () => {
    const zeros = new Map([[`layer.${LORA_B}`, new Float32Array(12)]]);
    expect((await run(layer, adapted, zeros)).y).toEqual((await run(layer, new Map())).y);
  });

  test("elsewhere adapted is as it was", async () => {
    expect([...(await run(layer, new Map([["layers", lora]]))).weights.keys()]).not.toContain(`layer.${LORA_A}`);
  });
});

test("merging adds alpha / rank times B A, and as much of it as the scale says", () => {
  const weight = Float32Array.of(1, 2, 3, 4, 5, 6);
  const [a, b] = [Float32Array.of(1, 0, 2, 0, 1, 1), Float32Array.of(1, 2, -1, 3)];
  // B A = [[1, 2, 4], [-1, 3, 1]]
  expect(mergeLora(weight, a, b, { rank: 2, alpha: 1 })).toEqual(Float32Array.of(1.5, 3, 5, 3.5, 6.5, 6.5));
  expect(mergeLora(weight, a, b, { rank: 2, alpha: 1 }, -2)).toEqual(Float32Array.of(0, 0, -1, 5, 2, 5));
  expect(weight).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
  expect(loraScale({ rank: 5, alpha: 8 })).toBe(1.6);
});

test("a new A fills the range of peft's initialisation evenly", () => {
  let i = 0;
  const a = initialLoraA(4, 25, () => i++ / 100);
  expect(a).toHaveLength(100);
  expect(a[0]).toBeCloseTo(-0.2, 6);
  expect(a[50]).toBeCloseTo(0, 6);
  expect(a[99]).toBeCloseTo(0.196, 6);
});

test("what is bound to a file is a constant: it is not trained and takes no feeds", async () => {
  const data = new Uint8Array(numbers("layer.weight", 12).buffer);
  const training = await Training.create(
    (p) => {
      const y = linear(p.withLora(adapted).at("layer"), ops.input("x", [2, 3]), 4, { bias: false });
      return { loss: ops.mean(ops.square(y)), outputs: {} };
    },
    (name, shape) => numbers(name, sizeOf(shape)),
    {
      external: (name) =>
        name === "layer.weight"
          ? { dtype: "float32", shape: [4, 3], location: "base", offset: 0, byteLength: 48 }
          : undefined,
      externalData: [{ path: "base", data }],
    },
  );
  expect([...training.weights.views.keys()]).toEqual([`layer.${LORA_A}`, `layer.${LORA_B}`]);
  const step = () =>
    training.step([{ x: numbers("the inputs", 6) }], {
      learningRate: 0.01,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
    });
  const first = (await step()).outputs[0]!.loss![0]!;
  expect((await step()).outputs[0]!.loss![0]!).toBeLessThan(first);
  await training.release();
});
