import { gradients } from "./gradient.js";
import { emitModel } from "./onnx.js";
import * as ops from "./ops/index.js";
import { Session } from "./session.js";
import { type Shape, sizeOf, type Value } from "./value.js";

/** Values made of an operator and the ranges its arguments are drawn from. */
interface Check {
  readonly shapes: readonly Shape[];
  readonly range?: readonly [number, number];
  readonly build: (...inputs: Value[]) => Value;
}

const KERNEL = Float32Array.from({ length: 54 }, (_, i) => Math.sin(i));

type Operators = typeof ops;
/** What makes leaves, and what has no gradient by design. */
type Exempt = "constant" | "indices" | "input" | "parameter" | "scalar" | "oneHot" | "equalMask" | "scan";

/** A total table: an operator without a gradient check does not compile. */
const CHECKS: { [K in Exclude<keyof Operators, Exempt>]: readonly Check[] } = {
  add: [{ shapes: [[2, 3], [3]], build: ops.add }],
  sub: [{ shapes: [[3], [2, 3]], build: ops.sub }],
  mul: [
    {
      shapes: [
        [2, 1, 3],
        [4, 1],
      ],
      build: ops.mul,
    },
  ],
  div: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      range: [0.5, 2],
      build: ops.div,
    },
  ],
  // through more bits, since the check itself computes in float32
  cast: [{ shapes: [[3]], build: (x) => ops.cast(ops.cast(x!, "float32"), "float32") }],
  neg: [{ shapes: [[3]], build: ops.neg }],
  exp: [{ shapes: [[3]], build: ops.exp }],
  log: [{ shapes: [[3]], range: [0.5, 2], build: ops.log }],
  sqrt: [{ shapes: [[3]], range: [0.5, 2], build: ops.sqrt }],
  sin: [{ shapes: [[5]], range: [-3, 3], build: ops.sin }],
  cos: [{ shapes: [[5]], range: [-3, 3], build: ops.cos }],
  sigmoid: [{ shapes: [[5]], range: [-3, 3], build: ops.sigmoid }],
  tanh: [{ shapes: [[5]], build: ops.tanh }],
  softplus: [{ shapes: [[5]], range: [-4, 4], build: ops.softplus }],
  erf: [{ shapes: [[5]], build: ops.erf }],
  square: [{ shapes: [[5]], build: ops.square }],
  swish: [{ shapes: [[7]], range: [-3, 3], build: (x) => ops.swish(x!, 0.7) }],
  silu: [{ shapes: [[7]], range: [-3, 3], build: ops.silu }],
  quickGelu: [{ shapes: [[7]], range: [-3, 3], build: ops.quickGelu }],
  gelu: [{ shapes: [[7]], range: [-3, 3], build: ops.gelu }],
  // 0.1 away from the corners, where the derivative jumps
  clip: [
    { shapes: [[5]], range: [-0.4, 0.4], build: (x) => ops.clip(x!, -0.5, 0.5) },
    { shapes: [[5]], range: [0.6, 0.9], build: (x) => ops.add(ops.clip(x!, -0.5, 0.5), x!) },
  ],
  reduceSum: [{ shapes: [[2, 3, 4]], build: (x) => ops.reduceSum(x!, [0, -1]) }],
  reduceMean: [{ shapes: [[2, 3, 4]], build: (x) => ops.reduceMean(x!, [1]) }],
  mean: [{ shapes: [[2, 3]], build: ops.mean }],
  sum: [{ shapes: [[2, 3]], build: ops.sum }],
  expand: [{ shapes: [[3, 1]], build: (x) => ops.expand(x!, [2, 3, 4]) }],
  sumTo: [{ shapes: [[2, 3, 4]], build: (x) => ops.sumTo(x!, [3, 1]) }],
  softmax: [{ shapes: [[3, 5]], range: [-2, 2], build: ops.softmax }],
  reshape: [{ shapes: [[2, 6]], build: (x) => ops.reshape(x!, [3, 4]) }],
  transpose: [{ shapes: [[2, 3, 4]], build: (x) => ops.transpose(x!, [1, 2, 0]) }],
  concat: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      build: (a, b) => ops.concat([a!, b!], 1),
    },
  ],
  split: [
    {
      shapes: [[2, 5]],
      build: (x) => {
        const [a, b] = ops.split(x!, 1, [4, 1]);
        return ops.mul(a!, b!);
      },
    },
    { shapes: [[5, 2]], build: (x) => ops.square(ops.split(x!, 0, [2, 2, 1])[1]!) },
  ],
  slice: [{ shapes: [[2, 5]], build: (x) => ops.slice(x!, 1, 1, 4) }],
  pad: [{ shapes: [[2, 3]], build: (x) => ops.pad(x!, [1, 0], [0, 2]) }],
  gather: [{ shapes: [[4, 3]], build: (table) => ops.gather(table!, ops.indices([1, 3, 1])) }],
  matmul: [
    {
      shapes: [
        [2, 3],
        [3, 4],
      ],
      build: (a, b) => ops.matmul(a!, b!),
    },
    {
      shapes: [
        [2, 3, 4],
        [5, 4],
      ],
      build: (a, b) => ops.matmul(a!, b!, { transposeB: true, alpha: 0.5 }),
    },
    {
      shapes: [
        [2, 4, 3],
        [2, 4, 5],
      ],
      build: (a, b) => ops.matmul(a!, b!, { transposeA: true }),
    },
    {
      shapes: [
        [2, 4, 3],
        [2, 5, 4],
      ],
      build: (a, b) => ops.matmul(a!, b!, { transposeA: true, transposeB: true }),
    },
    {
      shapes: [
        [5, 3],
        [2, 3, 4],
      ],
      build: (a, b) => ops.matmul(a!, b!),
    },
  ],
  attention: [
    {
      shapes: [
        [2, 3, 8],
        [2, 5, 8],
        [2, 5, 12],
      ],
      build: (q, k, v) => ops.attention(q!, k!, v!, 2, 0.5),
    },
    {
      shapes: [
        [1, 3, 4],
        [1, 3, 4],
        [1, 3, 4],
      ],
      build: (q, k, v) => ops.attention(q!, k!, v!, 1, 0.5, ops.constant([0, -9, -9, 0, 0, -9, 0, 0, 0], [3, 3])),
    },
  ],
  normalize: [{ shapes: [[3, 7]], build: (x) => ops.normalize(x!, 1e-5) }],
  groupNorm: [
    { shapes: [[2, 6, 3, 2], [6], [6]], build: (x, w, b) => ops.groupNorm(x!, w!, b!, 3, 1e-5) },
    { shapes: [[1, 4, 5], [4], [4]], build: (x, w, b) => ops.groupNorm(x!, w!, b!, 1, 1e-5) },
  ],
  layerNorm: [{ shapes: [[2, 3, 6], [6], [6]], build: (x, w, b) => ops.layerNorm(x!, w!, b!, 1e-5) }],
  conv: [
    { shapes: [[2, 3, 5, 4], [4, 3, 3, 3], [4]], build: (x, w, b) => ops.conv(x!, w!, b, { padding: 1 }) },
    {
      shapes: [
        [2, 3, 5, 6],
        [4, 3, 3, 3],
      ],
      build: (x, w) => ops.conv(x!, w!, undefined, { stride: 2, padding: 1 }),
    },
    {
      shapes: [
        [1, 2, 6, 6],
        [3, 2, 3, 3],
      ],
      build: (x, w) => ops.conv(x!, w!, undefined, { stride: 2, padding: [0, 0, 1, 1] }),
    },
    { shapes: [[2, 3, 4, 4], [5, 3, 1, 1], [5]], build: (x, w, b) => ops.conv(x!, w!, b) },
    {
      shapes: [
        [1, 3, 8, 8],
        [5, 3, 4, 4],
      ],
      build: (x, w) => ops.conv(x!, w!, undefined, { stride: 4 }),
    },
    {
      shapes: [
        [1, 2, 5, 7],
        [3, 2, 2, 3],
      ],
      build: (x, w) => ops.conv(x!, w!, undefined, { padding: [1, 0, 0, 2] }),
    },
    // forms that the lowering leaves: few positions, large pictures, constant weights
    { shapes: [[1, 2, 3, 3], [12, 2, 3, 3], [12]], build: (x, w, b) => ops.conv(x!, w!, b, { padding: 1 }) },
    {
      shapes: [
        [1, 1, 33, 32],
        [2, 1, 3, 2],
      ],
      build: (x, w) => ops.conv(x!, w!, undefined, { padding: [1, 0, 1, 1] }),
    },
    {
      shapes: [[2, 2, 4, 5]],
      build: (x) => ops.conv(x!, ops.constant(KERNEL, [3, 2, 3, 3]), undefined, { padding: 1 }),
    },
  ],
  upsampleNearest: [
    { shapes: [[2, 3, 2, 3]], build: (x) => ops.upsampleNearest(x!, [4, 6]) },
    { shapes: [[1, 2, 3, 4]], build: (x) => ops.upsampleNearest(x!, [5, 7]) },
  ],
  averagePool: [{ shapes: [[2, 3, 4, 6]], build: (x) => ops.averagePool(x!, 2) }],
};

describe("gradient rules against central differences", () => {
  const cases = Object.entries(CHECKS).flatMap(([name, checks]) =>
    checks.map((check, i) => [checks.length > 1 ? `${name} (${i + 1})` : name, check] as const),
  );
  test.each(cases)("%s", async (_name, { shapes, range = [-1, 1], build }) => {
    const random = lehmer(7);
    const inputs = shapes.map((shape, i) => ops.input(`x${i}`, shape));
    const y = build(...inputs);
    const weights = Float32Array.from({ length: sizeOf(y.shape) }, () => random() * 2 - 1);
    const loss = ops.sum(ops.mul(y, ops.constant(weights, y.shape)));
    const grads = gradients(loss, inputs);
    const outputs = Object.fromEntries(grads.map((g, i) => [`g${i}`, g]));
    const session = await Session.create(emitModel({ loss, ...outputs }), { threads: 1 });

    const point = shapes.map((s) =>
      Float32Array.from({ length: sizeOf(s) }, () => range[0] + (range[1] - range[0]) * random()),
    );
    const feed = (data: Float32Array[]) => Object.fromEntries(data.map((x, i) => [`x${i}`, x]));
    const at = await session.run(feed(point));
    const h = 5e-3;
    for (const [i, x] of point.entries()) {
      for (let direction = 0; direction < 3; direction++) {
        const v = Float32Array.from(x, () => random() * 2 - 1);
        const moved = async (sign: number) => {
          const shifted = point.map((p, j) => (j === i ? p.map((value, n) => value + sign * h * v[n]!) : p));
          return (await session.run(feed(shifted))).loss![0]!;
        };
        const numeric = ((await moved(1)) - (await moved(-1))) / (2 * h);
        const g = at[`g${i}`]!;
        const analytic = v.reduce((sum, value, n) => sum + value * g[n]!, 0);
        const scale = Math.sqrt(v.reduce((sum, value, n) => sum + (value * g[n]!) ** 2, 0)) + 0.1;
        expect(Math.abs(numeric - analytic) / scale).toBeLessThan(5e-3);
      }
    }
    await session.release();
  });
});

describe("shape rules", () => {
  test("name the operator, the inputs and what was expected", () => {
    const a = ops.input("a", [2, 3]);
    expect(() => ops.matmul(a, a)).toThrow(
      "matmul: input 0 float32[2, 3], input 1 float32[2, 3]; expected matrices that fit",
    );
    expect(() => ops.add(a, ops.input("b", [4]))).toThrow("add: input 0 float32[2, 3], input 1 float32[4]");
    expect(() => ops.conv(a, a)).toThrow("conv:");
  });

  test("agree with the shapes onnxruntime computes", async () => {
    const x = ops.input("x", [1, 2, 7, 5]);
    const y = ops.conv(x, ops.constant(new Float32Array(4 * 2 * 9), [4, 2, 3, 3]), undefined, {
      stride: 2,
      padding: 1,
    });
    expect(y.shape).toEqual([1, 4, 4, 3]);
    const session = await Session.create(emitModel({ y }));
    expect((await session.run({ x: new Float32Array(70) })).y).toHaveLength(48);
  });
});

/** Park and Miller's generator, uniform in (0, 1): small, and the same everywhere. */
function lehmer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
