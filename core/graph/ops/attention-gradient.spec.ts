import { emitModel } from "../onnx.js";
import { Session } from "../session.js";
import { headGradients } from "./attention-gradient.js";
import { constant, input } from "./leaf.js";

const [HEADS, N, M, D] = [4, 6, 5, 3];

async function gradientsWith(scoresAtOnce: number, masked = false) {
  const parts = {
    q: input("q", [HEADS, N, D]),
    k: input("k", [HEADS, M, D]),
    v: input("v", [HEADS, M, D]),
    g: input("g", [HEADS, N, D + 1]),
  };
  const mask = masked
    ? constant(
        Float32Array.from({ length: N * M }, (_, i) => -(i % 3)),
        [N, M],
      )
    : undefined;
  const session = await Session.create(emitModel({ ...headGradients(parts, 0.6, mask, scoresAtOnce) }), { threads: 1 });
  const values = (length: number, phase: number) =>
    Float32Array.from({ length }, (_, i) => 2 * Math.sin(13 * i + phase));
  const result = await session.run({
    q: values(HEADS * N * D, 1),
    k: values(HEADS * M * D, 2),
    v: values(HEADS * M * D, 3),
    g: values(HEADS * N * (D + 1), 4),
  });
  await session.release();
  return result;
}

test.each([
  ["two heads", 2 * N * M, false],
  ["one head", N * M, false],
  ["one masked head", N * M, true],
  ["three queries of one head", 3 * M, false],
  ["a single query", 1, false],
])("gradients are the same computed for %s at a time", async (_, scoresAtOnce, masked) => {
  const whole = await gradientsWith(HEADS * N * M, masked);
  const parts = await gradientsWith(scoresAtOnce, masked);
  for (const name of ["dq", "dk", "dv"]) {
    expect(Math.max(...whole[name]!.map((value, i) => Math.abs(value - parts[name]![i]!)))).toBeLessThan(2e-6);
    expect(Math.max(...whole[name]!.map(Math.abs))).toBeGreaterThan(0.1);
  }
});
