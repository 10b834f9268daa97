import { gpuMemory, parseGpuMemory } from "./gpu-memory.js";

test("nvidia-smi's lines are read in bytes, and anything else is left alone", () => {
  expect(parseGpuMemory("0, 1024, 81559\n1, 0, 81559\n")).toEqual([
    { index: "0", used: 2 ** 30, total: 81559 * 2 ** 20 },
    { index: "1", used: 0, total: 81559 * 2 ** 20 },
  ]);
  expect(parseGpuMemory("0, [N/A], [N/A]\nNo devices were found\n")).toEqual([]);
});

test("a machine without nvidia-smi has no GPU to tell of", async () => {
  await expect(gpuMemory("no-such-command")).resolves.toEqual([]);
});
