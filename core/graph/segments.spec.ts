import { gradients } from "./gradient.js";
import { peakBytes } from "./live-memory.js";
import { emitModel } from "./onnx.js";
import * as ops from "./ops/index.js";
import { cutSegments } from "./segments.js";
import { Session } from "./session.js";
import { topologicalOrder } from "./topological-order.js";
import type { Value } from "./value.js";

const [LAYERS, ROWS, WIDTH] = [16, 32, 16];

function chain() {
  const weights = Array.from({ length: LAYERS }, (_, i) => ops.parameter(`w${i}`, [WIDTH, WIDTH]));
  const x = weights.reduce<Value>((h, w) => ops.tanh(ops.silu(ops.matmul(h, w))), ops.input("x", [ROWS, WIDTH]));
  return { loss: ops.mean(ops.square(x)), weights };
}

test("parts make up the whole, in order", () => {
  const order = topologicalOrder([chain().loss]);
  for (const count of [1, 3, 8]) {
    const parts = cutSegments(order, count);
    expect(parts).toHaveLength(count);
    expect(parts.flat()).toEqual(order);
  }
});

test("the more is computed anew, the fewer bytes are live, and the gradients keep their bits", async () => {
  const { loss, weights } = chain();
  const feeds: Record<string, Float32Array> = { x: Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.cos(i)) };
  for (const i of weights.keys()) {
    feeds[`w${i}`] = Float32Array.from({ length: WIDTH * WIDTH }, (_, j) => Math.sin(j * 5 + i) / 2);
  }
  const results: Record<string, Float32Array>[] = [];
  const peaks: number[] = [];
  for (const anew of [{}, { cheapAnew: true }, { segments: 2 }, { segments: 4 }]) {
    const grads = gradients(loss, weights, anew);
    peaks.push(peakBytes(grads));
    const model = emitModel(Object.fromEntries(grads.map((g, i) => [`g${i}`, g])));
    const session = await Session.create(model, { threads: 1 });
    results.push(await session.run(feeds));
    await session.release();
  }
  const [kept, cheap, halves, quarters] = peaks as [number, number, number, number];
  expect(cheap).toBeLessThan(0.75 * kept);
  expect(halves).toBeLessThan(0.75 * kept);
  expect(quarters).toBeLessThan(halves);
  for (const result of results.slice(1)) expect(result).toEqual(results[0]);
});
