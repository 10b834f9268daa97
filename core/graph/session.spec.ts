import { emitModel } from "./onnx.js";
import { gather, input, mul } from "./ops/index.js";
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

test("a model that writes only tells of a run that fails", async () => {
  const rows = gather(input("table", [2, 3]), input("ids", [1], "int64"));
  const session = await Session.create(emitModel({ rows }, { writesOnly: true }));
  const table = Float32Array.of(0, 1, 2, 3, 4, 5);
  expect((await session.run({ table, ids: BigInt64Array.of(1n) })).rows).toEqual(Float32Array.of(3, 4, 5));
  await expect(session.run({ table, ids: BigInt64Array.of(7n) })).rejects.toThrow("out of data bounds");
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
