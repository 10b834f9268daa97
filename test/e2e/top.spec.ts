import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePorts, startTestTrainer } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";

const PROGRAM = fileURLToPath(new URL("../../bin/spin-diffusion.mjs", import.meta.url));
const folder = useTemporaryFolder();

test("a trainer that is restarted is shown as not answering, then shown again; Ctrl-C ends in peace", async () => {
  const [port] = await freePorts(1);
  const options = { modelDir: join(folder(), "models"), generators: ["127.0.0.1:1"], port };
  let trainer = await startTestTrainer(folder(), options);
  const args = ["top", "--trainer", trainer.address, "--interval", "1", "--json"];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** Reads on to a line that says so. */
  const until = async (isWanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error("it ended before");
      const line = JSON.parse(value) as Record<string, unknown>;
      if (isWanted(line)) return line;
    }
  };
  try {
    await until((line) => "generators" in line);
    await trainer.stop();
    const { problem } = await until((line) => "problem" in line);
    expect(problem).toContain(trainer.address);
    trainer = await startTestTrainer(folder(), options);
    await until((line) => "generators" in line);
    child.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
    await trainer.stop();
  }
}, 120_000);
