import { computeEnvironment, instructionSetOf } from "./fingerprint.js";

test("an environment tells runtime, provider, instruction set and threads", async () => {
  const environment = await computeEnvironment("cpu", 3);
  expect(environment).toMatchObject({ provider: "cpu", threads: 3 });
  expect(environment.runtime).toMatch(/^onnxruntime-node \d+\.\d+\.\d+$/);
  expect(environment.instructionSet).toMatch(/^(x64|arm64) ./);
  expect(await computeEnvironment("cpu", 3)).toEqual(environment);
});

test("threads on the host do not matter to a GPU", async () => {
  expect((await computeEnvironment("cuda", 8)).threads).toBe(1);
});

test("the instruction set lists what kernels are chosen by, and nothing else", () => {
  const intel = "processor\t: 0\nflags\t\t: fpu sse4_1 fma avx avx2 avx512_vnni avx512f rdrand\nbugs\t: avx_vnni\n";
  expect(instructionSetOf("x64", intel)).toBe("x64 avx avx2 fma avx512f avx512_vnni");
  expect(instructionSetOf("arm64", "Features\t: fp asimd asimddp sve\n")).toBe("arm64 asimd asimddp sve");
  expect(instructionSetOf("arm64", "")).toBeUndefined();
});
