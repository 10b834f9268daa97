import { casesOf, SIZE, SIZES } from "./sizes.js";

test.each(SIZES)("every case of %s exists", (name) => {
  expect(casesOf(SIZE[name]).map(({ id }) => id)).toEqual(SIZE[name].cases);
});

test("cases may be chosen, and one that there is not is named", () => {
  expect(casesOf(SIZE.base, ["lora-step", "sample"]).map(({ id }) => id)).toEqual(["sample", "lora-step"]);
  expect(() => casesOf(SIZE.base, ["steps"])).toThrow(/there is no case "steps"; name some of forward-1/);
});

test("settings of a size reach the flags of both sides", () => {
  const [memory] = casesOf({ ...SIZE.base, batch: 3, steps: 2, samplingSteps: 7 }, ["iteration-memory"]);
  expect(memory!.flags).toMatchObject({ batch: 3, steps: 2, "sampling-steps": 7, inputs: "pictures" });
});
