import { jest } from "@jest/globals";
import { runCommandLine } from "../../cli/command-line.js";

/** Runs the command line in this process and tells its exit code and what it wrote. */
export async function commandLine(...args: string[]): Promise<{ code: number; out: string; err: string }> {
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
