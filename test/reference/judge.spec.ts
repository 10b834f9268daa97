import type { CaseTensor, ReferenceCase } from "./cases.js";
import { judge } from "./judge.js";

const tensor = (...values: number[]): CaseTensor => ({ shape: [values.length], data: Float32Array.from(values) });

function caseOf(parts: Partial<ReferenceCase>, stored: Record<string, CaseTensor> = {}): ReferenceCase {
  return {
    kind: "kind",
    name: "name",
    description: "",
    parameters: {},
    inputs: [],
    expected: {},
    folder: "",
    model: () => "",
    floats: () => Promise.reject(new Error("unused")),
    tensor: (name) => Promise.resolve(stored[name]!),
    ...parts,
  };
}

const sample = caseOf({ expected: { "out.x": { rtol: 0.1, atol: 0.5 } } }, { "out.x": tensor(10, -20) });

test("a tensor inside atol + rtol · |expected| passes, one outside fails with its worst element", async () => {
  expect(await judge(sample, { tensors: { "out.x": tensor(11.5, -17.5) } })).toEqual([]);
  const faults = await judge(sample, { tensors: { "out.x": tensor(11.6, -17.5) } });
  expect(faults).toEqual([expect.stringMatching(/out\.x \[2\]: 1 of 2 off, worst: \[0\] is 11\.6/)]);
});

test("NaN, another shape and a tensor that was not computed fail", async () => {
  expect(await judge(sample, { tensors: { "out.x": tensor(Number.NaN, -20) } })).toHaveLength(1);
  expect(await judge(sample, { tensors: { "out.x": { ...tensor(10, -20), shape: [1, 2] } } })).toHaveLength(1);
  expect(await judge(sample, {})).toEqual(["out.x: not computed"]);
});

test("a group allows its share of outliers over all its tensors and no more", async () => {
  const grouped = caseOf(
    {
      expected: { "out.a": { group: "g" }, "out.b": { group: "g" } },
      groups: { g: { measure: "outliers", atol: 0.1, outliers: 0.25 } },
    },
    { "out.a": tensor(1, 2), "out.b": tensor(3, 4) },
  );
  expect(await judge(grouped, { tensors: { "out.a": tensor(1, 9), "out.b": tensor(3, 4) } })).toEqual([]);
  expect(await judge(grouped, { tensors: { "out.a": tensor(1, 9), "out.b": tensor(3, 9) } })).toHaveLength(1);
});

test("values are compared within tolerances inside lists and tables, and exactly where said", async () => {
  const table = { expected: { a: [1, 2], b: "text" }, rtol: 0, atol: 0.1 };
  const wanted = caseOf({ values: { table, exact: { expected: [1], exact: true } } });
  expect(await judge(wanted, { values: { table: { a: [1.05, 2], b: "text" }, exact: [1] } })).toEqual([]);
  expect(await judge(wanted, { values: { table: { a: [1.2, 2], b: "text" }, exact: [1] } })).toHaveLength(1);
  expect(await judge(wanted, { values: { table: { a: [1], b: "text" }, exact: [1] } })).toHaveLength(1);
  expect(await judge(wanted, { values: { table: { a: [1, 2], b: "text" }, exact: [1.0001] } })).toHaveLength(1);
  expect(await judge(wanted, { values: { table: { a: [1, 2], b: "text" } } })).toEqual(["value exact: not computed"]);
});

test("fractions marked exact beside a loss have the loss's tolerances; whole numbers and words have none", async () => {
  const loss = { expected: 1.5, rtol: 0, atol: 0.01 };
  const copy = { expected: { value: 1.5, steps: 5, holds: true }, exact: true };
  const wanted = caseOf({ values: { loss, copy } });
  const faults = (change: object) =>
    judge(wanted, { values: { loss: 1.5, copy: { value: 1.5, steps: 5, holds: true, ...change } } });
  expect(await faults({ value: 1.505 })).toEqual([]);
  expect(await faults({ value: 1.52 })).toHaveLength(1);
  expect(await faults({ steps: 5.001 })).toHaveLength(1);
  expect(await faults({ holds: false })).toHaveLength(1);
});

test("a handler's failed check and a case in which nothing was compared fail", async () => {
  expect(await judge(caseOf({}), { checks: { "a.bin": "was accepted", "b.bin": undefined } })).toEqual([
    "a.bin: was accepted",
  ]);
  expect(await judge(caseOf({}), {})).toEqual(["nothing was compared"]);
});
