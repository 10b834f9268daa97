import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandLine } from "../../test/support/run-command-line.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { parseDevice } from "../graph/device.js";
import { listDevices, requireDevice, runProbe } from "./devices.js";

const folder = useTemporaryFolder();

test.each([
  ["cpu", "cpu"],
  ["cuda", "cuda:0"],
  ["cuda:1", "cuda:1"],
  ["webgpu", "webgpu:0"],
  ["webgpu:01", "webgpu:1"],
  ["cpu:1", undefined],
  ["gpu", undefined],
  ["cuda:", undefined],
  ["cuda:-1", undefined],
  ["CUDA", undefined],
  ["", undefined],
])("%j is read as %j", (text, device) => {
  expect(parseDevice(text)).toBe(device);
});

test("the list has the CPU, and every other device with its name or what it lacks", async () => {
  const reports = await listDevices();
  expect(reports[0]).toMatchObject({ device: "cpu", name: expect.stringMatching(/threads$/) });
  expect(reports.map(({ device }) => device)).toEqual(expect.arrayContaining(["cpu", "cuda:0", "webgpu:0"]));
  for (const { problem } of reports) expect(problem).not.toBe("");
});

test.each(["cuda:999", "webgpu:7"])("%s is refused, and the answer lists what is there", async (device) => {
  await expect(requireDevice(device, "DEVICE")).rejects.toMatchObject({
    kind: "precondition",
    message: expect.stringMatching(new RegExp(`^DEVICE: "${device}" does not work here \\(.+\\); there is cpu \\(`)),
    details: { field: "DEVICE", remedy: expect.stringContaining("name one that is there") },
  });
});

test("what is no device is refused with the forms there are and the devices", async () => {
  await expect(requireDevice("gpu")).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringMatching(/^device: "gpu" is no device, expected cpu, cuda:N or webgpu:N; there is cpu/),
  });
});

test("every device that does not work here says why when it is asked for", async () => {
  for (const { device, problem } of await listDevices()) {
    if (problem === undefined) expect(await requireDevice(device)).toBe(device);
    else await expect(requireDevice(device)).rejects.toThrow(problem);
  }
});

test.each([
  ["process.abort()", "the check ended with SIGABRT"],
  ["setInterval(() => undefined, 1000)", "the check ended with SIGTERM"],
  ["process.exit(3)", "the check ended with code 3"],
  ["process.stderr.write('Warning: x\\nprobe: no such GPU\\n'); process.exit(1)", "no such GPU"],
])("a driver whose check runs %j is no more than an answer", async (program, answer) => {
  const entry = join(folder(), "probe.mjs");
  await writeFile(entry, program);
  expect(await runProbe(entry, "cuda:0", 3000)).toBe(answer);
});

test.each([
  ["sample", "--model", "demo/base", "--prompt", "a fox", "--out", "never.png"],
  ["bench", "unet", "--model", "demo/base"],
  ["serve", "generator", "--port", "0"],
  ["serve", "trainer", "--port", "0"],
  ["serve", "evaluator", "--port", "0"],
])("spin-diffusion %s %s refuses a device that is not there before it does anything", async (...args) => {
  const { code, out, err } = await commandLine(...args, "--device", "cuda:999");
  expect(code).toBe(1);
  expect(out).toBe("");
  expect(err).toMatch(/^error: (--device|DEVICE): "cuda:999" does not work here .*there is cpu/);
});
