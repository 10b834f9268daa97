import { blockSize } from "../block-size.js";
import { gradients } from "../gradient.js";
import { emitModel } from "../onnx.js";
import { Session } from "../session.js";
import { sizeOf } from "../value.js";
import { conv, input, mul, sum } from "./index.js";

const wave = (length: number, phase: number) => Float32Array.from({ length }, (_, i) => Math.sin(1.7 * i + phase));

test.each([
  { name: "padding 1", padding: 1 as const, stride: 1, height: 12, width: 12 },
  { name: "uneven pictures and padding", padding: [0, 2, 1, 0] as const, stride: 1, height: 11, width: 14 },
  { name: "stride 2", padding: 1 as const, stride: 2, height: 15, width: 16 },
])("with channels in blocks a convolution and its gradients are what they are without: $name", async (of) => {
  const block = await blockSize();
  const shapes = { x: [2, 32, of.height, of.width], weight: [16, 32, 3, 3], bias: [16] };
  const { x, weight, bias } = {
    x: input("x", shapes.x),
    weight: input("weight", shapes.weight),
    bias: input("bias", [16]),
  };
  const y = conv(x, weight, bias, of);
  const [dx, dw] = gradients(sum(mul(y, y)), [x, weight]);
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape], i) => [name, wave(sizeOf(shape), i)]));
  const outputs = { y, dx: dx!, dw: dw! };
  const [usual, blocked] = [emitModel(outputs), emitModel(outputs, { block })];
  const operators = (bytes: Uint8Array) => Buffer.from(bytes).includes("ReorderInput");
  expect([operators(usual.bytes), operators(blocked.bytes)]).toEqual([false, block !== undefined]);
  const results = await Promise.all(
    [usual, blocked].map(async (model) => {
      const session = await Session.create(model, { threads: 1 });
      const result = await session.run(feeds);
      await session.release();
      return result;
    }),
  );
  for (const name of Object.keys(outputs)) {
    const [expected, got] = results.map((result) => result[name]!) as [Float32Array, Float32Array];
    const scale = Math.max(...expected.map(Math.abs));
    expect(Math.max(...expected.map((value, i) => Math.abs(value - got[i]!))) / scale).toBeLessThan(1e-5);
  }
});

test("a block is as wide as a register, or there are none", async () => {
  expect([8, 16, undefined]).toContain(await blockSize());
  if (process.arch === "x64") expect(await blockSize()).toBeDefined();
});
