import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Iteration, Run } from "../../proto/gen/spin/v1/trainer_service.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { findRepeated, originOf } from "./records.js";
import { RunStore } from "./run-store.js";

const folder = useTemporaryFolder();

async function store(runs: number): Promise<RunStore> {
  const made = await RunStore.open(folder());
  for (let i = 1; i <= runs; i++) {
    const run = Run.fromPartial({ runId: made.nextRunId(), displayName: `number ${i}`, seed: 2n ** 63n + 5n });
    await made.putRun({ origin: originOf(`r${i}`, { i }), run });
  }
  return made;
}

test("runs and iterations are there again in another process, in order", async () => {
  const first = await store(11);
  const iteration = Iteration.fromPartial({
    iterationId: first.nextIterationId("run-2"),
    runId: "run-2",
    stepsDone: 3,
  });
  const record = { origin: originOf("i", {}), traceparent: "00-a-b-01", iteration };
  await first.putIteration(record);
  await first.putIteration({ ...record, iteration: { ...iteration, stepsDone: 4 } });
  const again = await RunStore.open(folder());
  expect(again.runs).toEqual(first.runs);
  expect(again.runs.map(({ run }) => run.runId).slice(-3)).toEqual(["run-9", "run-10", "run-11"]);
  expect(again.iterationsOf("run-2")).toEqual([{ ...record, iteration: { ...iteration, stepsDone: 4 } }]);
  expect(again.nextRunId()).toBe("run-12");
  expect(again.nextIterationId("run-2")).toBe("run-2-iteration-2");
  expect(again.nextIterationId("run-3")).toBe("run-3-iteration-1");
});

test("a number is not given twice, even where an older run was deleted", async () => {
  await store(3);
  await rm(join(folder(), "run-2"), { recursive: true });
  expect((await RunStore.open(folder())).nextRunId()).toBe("run-4");
});

test("folders of others are left alone, unknown names are told", async () => {
  await mkdir(join(folder(), "lost+found"));
  await mkdir(join(folder(), "run-7", "iterations", "half"), { recursive: true });
  const empty = await RunStore.open(folder());
  expect(empty.runs).toEqual([]);
  expect(() => empty.run("run-7")).toThrow(
    expect.objectContaining({ kind: "notFound", message: expect.stringContaining('no run "run-7"') }),
  );
  expect(() => empty.iteration("x")).toThrow('no iteration "x"');
});

test("a file that is no run is named", async () => {
  await store(1);
  await writeFile(join(folder(), "run-1", "run.json"), '{"run": 3}');
  await expect(RunStore.open(folder())).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("run.json"),
  });
});

test("a repeated request finds what it made, one with other content is refused", () => {
  const records = [{ origin: originOf("a", { seed: 1 }), name: "first" }];
  expect(findRepeated(records, originOf("a", { seed: 1 }))?.name).toBe("first");
  expect(findRepeated(records, originOf("b", { seed: 1 }))).toBeUndefined();
  expect(() => findRepeated(records, originOf("a", { seed: 2 }))).toThrow(
    expect.objectContaining({ kind: "alreadyExists" }),
  );
});
