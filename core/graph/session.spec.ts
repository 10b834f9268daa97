import { emitModel } from "./onnx.js";
import { input, mul } from "./ops/index.js";
import { Session } from "./session.js";

const SIZE = 2 ** 20;
const x = Float32Array.from({ length: SIZE }, (_, i) => i % 7);
const graph = () => {
  const value = input("x", [SIZE]);
  return { double: mul(value, 2), square: mul(value, value) };
};

test("a model that writes only answers with the caller's arrays, and copies nothing", async () => {
  const session = await Session.create(emitModel(graph(), { writesOnly: true }));
  const double = new Float32Array(SIZE);
  const before = process.memoryUsage().external;
  const answer = await session.run({ x }, { double });
  // One array for the output that none was given for, and none besides.
  expect(process.memoryUsage().external - before).toBeLessThan(1.5 * x.byteLength);
  expect(answer.double).toBe(double);
  expect([double[5], answer.square![5]]).toEqual([10, 25]);
  await session.release();
});

test("a model that writes only tells what the runtime refuses", async () => {
  const session = await Session.create(emitModel({ y: mul(input("x", [2]), 2) }, { writesOnly: true }));
  await expect(session.run({ x: new Float32Array(3) })).rejects.toThrow('session: "x" is float32[2]');
  await session.release();
});

test("the same values come with and without an answer", async () => {
  const [usual, writing] = await Promise.all(
    [false, true].map(async (writesOnly) => {
      const session = await Session.create(emitModel(graph(), { writesOnly }));
      const answer = await session.run({ x });
      await session.release();
      return answer;
    }),
  );
  expect(writing).toEqual(usual);
});
