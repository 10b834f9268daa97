import { join } from "node:path";
import { digestFolder, readManifest, verifyFolder } from "../../core/checkpoint/manifest.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { readWeights } from "../../core/checkpoint/weights.js";
import { channelTo, freePorts, startTestGenerator, startTestTrainer } from "../support/services.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyXlModel } from "../support/tiny-xl-model.js";
import { createRun, iterate, smallSpec, succeeded } from "../support/trainer-client.js";

/** Trainer and generator over an SDXL model: two text encoders, pooled text and sizes among the draws. */

const folder = useTemporaryFolder();
const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

async function start() {
  const modelDir = join(folder(), "models");
  await writeTinyXlModel(join(modelDir, "tiny"));
  const [port] = await freePorts(1);
  const trainer = await startTestTrainer(folder(), { modelDir, generators: [`127.0.0.1:${port}`] });
  stopping.push(() => trainer.stop());
  const generator = await startTestGenerator(folder(), { modelDir, port, trainer: trainer.address });
  stopping.push(() => generator.stop());
  const channel = channelTo(trainer);
  stopping.push(async () => channel.close());
  return { channel, base: join(modelDir, "tiny") };
}

test.each(["spin", "spinRenoised", "dpo"] as const)(
  "%s begins at ln 2, and its checkpoint is the whole pipeline",
  async (objective) => {
    const { channel, base } = await start();
    const { runId } = await createRun(channel);
    const first = await iterate(channel, runId, "first", smallSpec(objective));
    const digest = succeeded(first);
    expect(first.steps[0]!.loss).toBeCloseTo(Math.LN2, 3);
    expect(Math.abs(first.steps[0]!.realErrorChange)).toBeLessThan(1e-5);
    expect(first.steps.at(-1)!.loss).not.toBeCloseTo(Math.LN2, 6);

    const saved = join(folder(), "runs", runId, "checkpoints", digest.slice("sha256:".length));
    await verifyFolder(saved, await readManifest(saved));
    const unchanged = (await digestFolder(base)).files.filter(({ path }) => !path.startsWith("unet/diffusion"));
    expect((await readManifest(saved)).files).toEqual(expect.arrayContaining([...unchanged]));
    const [before, after] = await Promise.all(
      [base, saved].map(async (path) => readWeights(requireComponent(await openModelFolder(path), "unet").weights)),
    );
    // What only SDXL has is trained too.
    for (const name of ["add_embedding.linear_1.weight", "add_embedding.linear_2.bias"]) {
      expect(after!.get(name)).not.toEqual(before!.get(name));
    }

    // The generator opens what the trainer wrote.
    const second = await iterate(channel, runId, "second", smallSpec(objective));
    succeeded(second);
    expect(second.steps[0]!.loss).toBeCloseTo(Math.LN2, 3);
  },
  300_000,
);
