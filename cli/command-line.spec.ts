import { commandLine as run } from "../test/support/run-command-line.js";

test("help lists the commands and each command's help has examples", async () => {
  const all = await run("--help");
  expect(all.code).toBe(0);
  for (const command of ["sample", "run", "evaluate", "lora", "serve", "bench"]) {
    expect(all.out).toContain(command);
    const { code, out } = await run(command, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`$ spin-diffusion ${command}`);
  }
});

test("the version is the package's", async () => {
  expect(await run("--version")).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: "" });
});

test.each([
  [["fly"], "unknown command 'fly'"],
  [["sample", "--model", "x"], "required option '--prompt <text>' not specified"],
  [["sample", "--steps", "0"], "Expected a whole number from 1 to 1000."],
  [["sample", "--guidance", "much"], "Expected a number from 1 to 100."],
  [["sample", "--seed", "1e3"], "Expected a whole number of 64 bits."],
  [["sample", "--sampler", "best"], "Allowed choices are ddim, pndm"],
  [["bench", "unet", "--batch", "-1"], "Expected a whole number from 1 to 4096."],
  [["run", "--dataset", "emoji/winners"], "required option '--base <checkpoint>' not specified"],
  [["run", "--beta", "0"], "Expected a number above 0."],
  [["run", "--lora-targets", "to_q,"], "Expected names between commas."],
  [["lora", "merge", "--model", "x"], "required option '--lora <path>' not specified"],
  [["evaluate", "--checkpoint", "base"], "Expected label=checkpoint"],
  [["serve", "generator", "--ports", "1"], "unknown option '--ports'"],
])("wrong usage as %j ends with 2 and says what is expected", async (args, message) => {
  const { code, err, out } = await run(...args);
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(out).toBe("");
});

test("a failure ends with 1 and one sentence that names the thing and what to do", async () => {
  const { code, out, err } = await run("bench", "unet", "--model", "nowhere/model");
  expect(code).toBe(1);
  expect(err).toMatch(/^error: .*nowhere\/model does not exist; check the path\n$/);
  expect(out).toBe("");
});

test("a LoRA's scale without a LoRA is refused", async () => {
  const { code, err } = await run("sample", "--model", "x", "--prompt", "a fox", "--lora-scale", "0.5");
  expect(code).toBe(1);
  expect(err).toBe("error: --lora-scale is given without --lora; name a LoRA, too\n");
});

test("with --json failures and wrong usage are one line of JSON on standard output", async () => {
  const failed = await run("bench", "unet", "--model", "nowhere/model", "--json");
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.out)).toMatchObject({ error: { kind: "notFound", remedy: "check the path" } });
  const wrong = await run("bench", "unet", "--json");
  expect(wrong.code).toBe(2);
  expect(JSON.parse(wrong.out)).toMatchObject({ error: { kind: "invalid" } });
  expect(failed.err + wrong.err).toBe("");
});

test("a service that is not there is named, with what to do", async () => {
  const { code, err } = await run("run", "--trainer", "127.0.0.1:1", "--base", "base", "--dataset", "emoji/winners");
  expect(code).toBe(1);
  expect(err).toMatch(/^error: nothing answers at 127\.0\.0\.1:1 within 5 s; check that the service runs/);
});

test("flags of a service are its settings, checked before it starts", async () => {
  const { code, err } = await run("serve", "trainer", "--port", "high", "--threads", "-1");
  expect(code).toBe(1);
  expect(err).toContain("--port: expected a whole number from 0 to 65535");
  expect(err).toContain("--threads: expected a whole number from 0 to 1024");
  const { out } = await run("serve", "trainer", "--help");
  expect(out).toContain("--generator-addresses <value>");
  expect(out.replaceAll(/\s+/g, " ")).toContain("(GENERATOR_ADDRESS, default: 127.0.0.1:50051)");
});
