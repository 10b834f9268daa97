import { jest } from "@jest/globals";
import { runCommandLine } from "./command-line.js";

/** Runs the command line and tells what it wrote. */
async function run(...args: string[]) {
  const written = { out: "", err: "" };
  const write = (to: "out" | "err") => (text: string | Uint8Array) => {
    written[to] += String(text);
    return true;
  };
  const spies = [
    jest.spyOn(process.stdout, "write").mockImplementation(write("out")),
    jest.spyOn(process.stderr, "write").mockImplementation(write("err")),
  ];
  try {
    return { code: await runCommandLine(args), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test("help lists the commands and each command's help has examples", async () => {
  const all = await run("--help");
  expect(all.code).toBe(0);
  for (const command of ["sample", "bench"]) {
    expect(all.out).toContain(command);
    const { code, out } = await run(command, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`$ spin-diffusion ${command}`);
  }
});

test.each([
  [["fly"], "unknown command 'fly'"],
  [["sample", "--model", "x"], "required option '--prompt <text>' not specified"],
  [["sample", "--steps", "0"], "Expected a whole number from 1 to 1000."],
  [["sample", "--guidance", "much"], "Expected a number from 1 to 100."],
  [["sample", "--seed", "1e3"], "Expected a whole number of 64 bits."],
  [["sample", "--sampler", "best"], "Allowed choices are ddim, pndm"],
  [["bench", "unet", "--batch", "-1"], "Expected a whole number from 1 to 4096."],
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

test("with --json failures and wrong usage are one line of JSON on standard output", async () => {
  const failed = await run("bench", "unet", "--model", "nowhere/model", "--json");
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.out)).toMatchObject({ error: { kind: "notFound", remedy: "check the path" } });
  const wrong = await run("bench", "unet", "--json");
  expect(wrong.code).toBe(2);
  expect(JSON.parse(wrong.out)).toMatchObject({ error: { kind: "invalid" } });
  expect(failed.err + wrong.err).toBe("");
});
