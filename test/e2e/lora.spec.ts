import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LORA_FILE, readLora } from "../../core/checkpoint/lora-file.js";
import { mergedWeights } from "../../core/checkpoint/lora-merge.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";
import { readWeights } from "../../core/checkpoint/weights.js";
import type { RpcChannel } from "../../core/service/client.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import type { LoraSettings } from "../../proto/gen/spin/v1/training.js";
import { channelTo, freePorts, startTestGenerator, startTestTrainer } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { createRun, type Ended, iterate, smallSpec, succeeded } from "../support/trainer-client.js";

/** Trainer and generator in this process, on real sockets, over a real model, training low-rank adapters. */

const folder = useTemporaryFolder();
const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

async function start(): Promise<RpcChannel> {
  const modelDir = join(folder(), "models");
  await writeTinyModel(join(modelDir, "tiny"));
  const [port] = await freePorts(1);
  const trainer = await startTestTrainer(folder(), { modelDir, generators: [`127.0.0.1:${port}`] });
  stopping.push(() => trainer.stop());
  const generator = await startTestGenerator(folder(), { modelDir, port, trainer: trainer.address });
  stopping.push(() => generator.stop());
  const channel = channelTo(trainer);
  stopping.push(async () => channel.close());
  return channel;
}

const small: LoraSettings = { rank: 2, alpha: 3, targetModules: [] };
/** Linear layers and convolutions, one of them with a stride. */
const large: LoraSettings = { rank: 3, alpha: 3, targetModules: ["ff.net.2", "conv1", "downsamplers.0.conv"] };
const spec = (lora: LoraSettings | undefined) =>
  smallSpec("spin", { lora, optimizer: { ...smallSpec("spin").optimizer!, learningRate: 0.01 } });

const base = () => join(folder(), "models", "tiny");
const checkpointOf = ({ iteration }: Ended) =>
  join(folder(), "runs", iteration.runId, "checkpoints", iteration.checkpointDigest.slice("sha256:".length));
const unetOf = async (path: string) => requireComponent(await openModelFolder(path), "unet").weights;

/** The adapter of a checkpoint, and the weights that it makes of a model's. */
async function adapterOf(checkpoint: string, model: string) {
  const weights = await unetOf(model);
  const lora = await readLora(checkpoint, new Map([...weights.tensors].map(([name, { shape }]) => [name, shape])));
  return { lora, merged: await readWeights(mergedWeights(weights, lora)) };
}

const isAtLn2 = ({ steps }: Ended) =>
  Math.abs(steps[0]!.loss - Math.LN2) < 1e-3 && Math.abs(steps[0]!.realErrorChange) < 1e-5;

test("iterations with a LoRA begin at ln 2, go on with one adapter, and leave it beside the merged weights", async () => {
  const channel = await start();
  const { runId, base: ref } = await createRun(channel);
  const first = await iterate(channel, runId, "first", spec(small));
  const second = await iterate(channel, runId, "second", spec(small));
  const third = await iterate(channel, runId, "third", spec(large));
  const digests = [first, second, third].map(succeeded);
  expect(new Set(digests).size).toBe(3);
  expect([first, second, third].map(isAtLn2)).toEqual([true, true, true]);
  expect(first.iteration.spec!.lora).toEqual({ ...small, targetModules: ["to_q", "to_k", "to_v", "to_out.0"] });
  for (const { steps } of [first, second, third]) {
    expect(Math.abs(steps[2]!.margin)).toBeGreaterThan(1e-3);
    for (const { gradNorm, updateNorm } of steps) expect(Math.min(gradNorm, updateNorm)).toBeGreaterThan(0);
  }

  // Over the run's base while the settings stay, over the checkpoint before once they change.
  const under = [base(), base(), checkpointOf(second)];
  const ranks = [2, 2, 3];
  const adapters = [];
  for (const [k, ended] of [first, second, third].entries()) {
    const { lora, merged } = await adapterOf(checkpointOf(ended), under[k]!);
    adapters.push(lora);
    expect(await readWeights(await unetOf(checkpointOf(ended)))).toEqual(merged);
    expect(new Set([...lora.layers.values()].map(({ rank, alpha }) => [rank, alpha].join()))).toEqual(
      new Set([`${ranks[k]},3`]),
    );
  }
  const [, carried, other] = adapters;
  const name = [...carried!.layers.keys()][0]!;
  expect(name).toMatch(/to_q$/);
  expect(adapters[0]!.weights.get(`${name}.lora_B.weight`)).not.toEqual(carried!.weights.get(`${name}.lora_B.weight`));
  expect([...other!.layers.keys()].every((module) => /ff\.net\.2|conv1|downsamplers\.0\.conv/.test(module))).toBe(true);

  const files = await Promise.all([first, third].map((ended) => openSafetensors(join(checkpointOf(ended), LORA_FILE))));
  expect(files.map(({ metadata }) => metadata.get("spin_base_digest"))).toEqual([ref!.digest, digests[1]]);
}, 300_000);

test("all weights can be trained after an adapter, which then is not left beside them", async () => {
  const channel = await start();
  const { runId } = await createRun(channel);
  succeeded(await iterate(channel, runId, "first", spec(small)));
  const second = await iterate(channel, runId, "second", smallSpec("spin"));
  succeeded(second);
  expect(isAtLn2(second)).toBe(true);
  expect(await readdir(checkpointOf(second))).not.toContain(LORA_FILE);
}, 300_000);

test("a target that the UNet does not have ends the iteration with its name", async () => {
  const channel = await start();
  const { runId } = await createRun(channel);
  const { iteration } = await iterate(channel, runId, "first", spec({ ...small, targetModules: ["to_w"] }));
  expect(iteration.state).toBe(JobState.JOB_STATE_FAILED);
  expect(iteration.failure).toMatchObject({ reason: "INVALID", message: expect.stringContaining('called "to_w"') });
});
