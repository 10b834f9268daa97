import { shareRuns } from "./share-runs.js";

test("a run is shared by two calls with the same arguments, and the third one runs anew", async () => {
  let runs = 0;
  const run = shareRuns(async (side: string, flags: object) => `${side} ${JSON.stringify(flags)} ${++runs}`);
  expect(await run("torch", { batch: 8 })).toBe('torch {"batch":8} 1');
  expect(await run("here", { batch: 8 })).toBe('here {"batch":8} 2');
  expect(await run("torch", { batch: 8 })).toBe('torch {"batch":8} 1');
  expect(await run("torch", { batch: 8 })).toBe('torch {"batch":8} 3');
});

test("a run that fails is not shared", async () => {
  let runs = 0;
  const run = shareRuns(async () => {
    runs += 1;
    if (runs === 1) throw new Error("out of memory");
    return runs;
  });
  await expect(run()).rejects.toThrow("out of memory");
  expect(await run()).toBe(2);
});
