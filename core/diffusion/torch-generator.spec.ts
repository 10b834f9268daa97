import { createTorchGenerator } from "./torch-generator.js";

describe("createTorchGenerator", () => {
  test("gives torch.manual_seed(0)'s well-known randn(2, 3)", () => {
    const expected = [1.541, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986];
    const values = createTorchGenerator(0).randn(6);
    for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 4);
  });

  test("takes the low 32 bits of a seed, a negative one from 2^64", () => {
    const first = (seed: bigint | number) => createTorchGenerator(seed).rand(3);
    expect(first(7n + (5n << 32n))).toEqual(first(7));
    expect(first(-1)).toEqual(first(0xffffffff));
  });

  test("keeps the second normal of a pair for the next short call", () => {
    const apart = createTorchGenerator(3);
    const together = createTorchGenerator(3).randn(4);
    expect([...apart.randn(1), ...apart.randn(3)]).toEqual([...together]);
  });

  test("draws the last 16 of a long randn anew when they do not fill a block", () => {
    const whole = createTorchGenerator(3).randn(16);
    const generator = createTorchGenerator(3);
    const ragged = generator.randn(20);
    expect([...ragged.slice(0, 4)]).toEqual([...whole.slice(0, 4)]);
    expect([...ragged.slice(4, 16)]).not.toEqual([...whole.slice(4, 16)]);
    const reference = createTorchGenerator(3);
    reference.rand(20);
    expect([...ragged.slice(4)]).toEqual([...reference.randn(16)]);
  });

  test("keeps random integers inside their range and refuses empty or huge ranges", () => {
    const values = createTorchGenerator(9).randint(-5, 5, 200);
    expect(Math.min(...values)).toBe(-5);
    expect(Math.max(...values)).toBe(4);
    expect(() => createTorchGenerator(9).randint(3, 3, 1)).toThrow("low < high");
    expect(() => createTorchGenerator(9).randint(0, 2 ** 28, 1)).toThrow("2^28");
  });
});
