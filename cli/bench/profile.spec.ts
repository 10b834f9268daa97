import { formatProfiles, summarizeProfile } from "./profile.js";

const node = (op_name: string, ts: number, dur: number) => ({
  cat: "Node",
  name: `${op_name}_1_kernel_time`,
  ts,
  dur,
  args: { op_name },
});
const run = (ts: number, dur: number) => ({ cat: "Session", name: "model_run", ts, dur });

test("figures are averages over the runs of all files but each file's first", () => {
  const warm = [run(0, 9000), node("Conv", 10, 8000)];
  const first = [...warm, run(10_000, 1000), node("Conv", 10_100, 500), node("Add", 10_600, 100)];
  const second = [...warm, run(10_000, 3000), node("Conv", 10_100, 900), node("Conv", 11_000, 800)];
  expect(summarizeProfile("training", [first, second])).toEqual({
    name: "training",
    runs: 2,
    ms: 2,
    operators: [
      { operator: "Conv", nodes: 1.5, ms: 1.1 },
      { operator: "Add", nodes: 0.5, ms: 0.05 },
    ],
  });
});

test("a session that ran once tells of that run", () => {
  expect(summarizeProfile("", [[run(0, 2000), node("Conv", 1, 500)]])).toMatchObject({ runs: 1, ms: 2 });
});

test("a table says what the operators' times leave", () => {
  const text = formatProfiles([summarizeProfile("", [[run(0, 2000), node("Conv", 1, 500)]])]);
  expect(text).toContain("UNet: 2.00 ms a run, average of 1");
  expect(text).toMatch(/^Conv +1 +0\.50 +25\.0 %$/m);
  expect(text).toMatch(/^between operators +1\.50 +75\.0 %$/m);
});
