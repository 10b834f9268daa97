import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { RpcChannel } from "../../core/service/client.js";
import { sleep } from "../../core/service/deadline.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { commandLine } from "../support/run-command-line.js";
import { freePorts, startTestGenerator, startTestTrainer } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { writeTinyScorer } from "../support/tiny-scorer.js";

/** An evaluator in a process of its own, killed amid its work; then what the command line makes of the results. */

const MAIN = fileURLToPath(new URL("../../dist/evaluator/main.js", import.meta.url));
const PROMPTS = 40;
const { watchEvaluation, getEvaluation } = EvaluatorServiceService;

const folder = useTemporaryFolder();
const stopping: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

/** Starts the evaluator of `name`, whose evaluations are its own. */
async function startProcess(
  name: string,
  generatorAddress: string,
  port?: number,
): Promise<{ process: ChildProcess; address: string; port: number }> {
  port ??= (await freePorts(1))[0]!;
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      MODEL_DIR: join(folder(), "models"),
      EVALUATIONS_DIR: join(folder(), name),
      GENERATOR_ADDRESS: generatorAddress,
      THREADS: "1",
      LOG_LEVEL: "error",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  stopping.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  });
  const address = `127.0.0.1:${port}`;
  const channel = new RpcChannel(address);
  await channel.waitForReady(60_000);
  channel.close();
  return { process: child, address, port };
}

/** Files below a folder by path, with their content. */
async function filesBelow(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[file.slice(path.length)] = (await readFile(file)).toString("base64");
  }
  return files;
}

test("an evaluator killed amid a checkpoint goes on when it is started again, to the same bytes, and so does who watches; its results are told by every command", async () => {
  const modelDir = join(folder(), "models");
  await writeTinyModel(join(modelDir, "tiny"));
  await writeTinyModel(join(modelDir, "other"), { seed: 2n });
  await writeTinyScorer(join(modelDir, "scorer"));
  await writeTinyScorer(join(modelDir, "second"), { seed: 2n });
  const generator = await startTestGenerator(folder(), { modelDir });
  stopping.push(() => generator.stop());
  const flags = [
    ...["--checkpoint", "base=tiny", "--checkpoint", "spin-1=other,7", "--prompts", "emoji/winners", "--name", "a"],
    ...[
      "--max-prompts",
      String(PROMPTS),
      "--steps",
      "2",
      "--guidance",
      "2",
      "--scorer",
      "scorer",
      "--scorer",
      "second",
    ],
    ...["--bootstrap", "200"],
  ];

  const whole = await startProcess("whole", generator.address);
  const undisturbed = await commandLine("evaluate", "--evaluator", whole.address, ...flags, "--json");
  expect(undisturbed.code).toBe(0);

  const killed = await startProcess("killed", generator.address);
  const watching = commandLine("evaluate", "--evaluator", killed.address, ...flags);
  const channel = new RpcChannel(killed.address);
  const isKnown = () =>
    channel.call(getEvaluation, { evaluationId: "a" }).then(
      () => true,
      () => false,
    );
  while (!(await isKnown())) await sleep(20);
  for await (const { event } of channel.stream(watchEvaluation, { evaluationId: "a", afterSequence: 0 })) {
    if (event?.$case === "progress" && event.value.label === "spin-1") break;
  }
  channel.close();
  const exited = once(killed.process, "exit");
  killed.process.kill("SIGKILL");
  await exited;

  const again = await startProcess("killed", generator.address, killed.port);
  expect(await watching).toMatchObject({
    code: 0,
    err: expect.stringMatching(`${killed.address} is gone [^]*${killed.address} is back`),
  });
  const table = join(folder(), "pictures.parquet");
  const resumed = await commandLine("evaluate", "--evaluator", again.address, ...flags, "--table", table, "--json");
  expect(resumed.code).toBe(0);
  expect(JSON.parse(resumed.out)).toEqual({ ...(JSON.parse(undisturbed.out) as object), table });
  const [id] = await readdir(join(folder(), "whole"));
  for (const part of ["scores", "pictures"]) {
    const [one, two] = [
      await filesBelow(join(folder(), "whole", id!, part)),
      await filesBelow(join(folder(), "killed", id!, part)),
    ];
    expect(Object.keys(one)).not.toHaveLength(0);
    expect(two).toEqual(one);
  }

  const file = await asyncBufferFromFile(table);
  const rows = (await parquetReadObjects({ file })) as Record<string, unknown>[];
  expect(rows).toHaveLength(3 * PROMPTS);
  expect(Object.keys(rows[0]!)).toEqual([
    "label",
    "checkpoint_digest",
    "prompt_index",
    "prompt",
    "seed",
    "score_scorer",
    "score_second",
    "similarity",
  ]);
  const metadata = (await parquetMetadataAsync(file)).key_value_metadata!.find(({ key }) => key === "spin.protocol");
  expect(JSON.parse(metadata!.value!)).toMatchObject({ numPrompts: PROMPTS, sampler: { numSteps: 2 }, seeds: ["0"] });

  const compared = await commandLine("compare", "--evaluator", again.address, "--evaluation", "a");
  expect(compared).toMatchObject({ code: 0, out: expect.stringMatching(/^spin-1 over base\n.*wins.*sign test/) });
  expect(compared.out).toMatch(/^second +\d/m);
  expect(compared.out).toMatch(/^average +\d/m);

  const other = flags.map((flag) => (flag === "a" ? "b" : flag));
  const guided = other.map((flag, i) => (other[i - 1] === "--guidance" ? "3" : flag));
  expect((await commandLine("evaluate", "--evaluator", again.address, ...guided)).code).toBe(0);
  const across = ["--evaluation", "a", "--with", "b", "base", "base"];
  const refused = await commandLine("compare", "--evaluator", again.address, ...across);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("sampler.guidanceScale is 2 and 3") });

  const trainer = await startTestTrainer(folder(), { modelDir, generators: [generator.address] });
  stopping.push(() => trainer.stop());
  const out = join(folder(), "report.html");
  const asked = ["--evaluation", "a", "--trainer", trainer.address, "--reference", "spin-1", "--out", out];
  expect(await commandLine("report", "--evaluator", again.address, ...asked)).toMatchObject({ code: 0 });
  const page = await readFile(out, "utf8");
  for (const part of ["Table 1", "Table 4: win rate over spin-1", "Figure 1", "Figure 2"]) expect(page).toContain(part);
}, 600_000);
