import { join } from "node:path";
import { openModelFolder } from "../../core/checkpoint/model-folder.js";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { sizeOf } from "../../core/graph/value.js";
import { ADAMW_DEFAULTS } from "../../core/nn/adamw.js";
import { MovingAverage } from "../../core/nn/ema.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { TINY_LATENT, TINY_PROMPT_LENGTH, writeTinyModel } from "../../test/support/tiny-model.js";
import { Learner } from "./learner.js";

const folder = useTemporaryFolder();
const NAME = "mid_block.resnets.0.conv1.weight";

/** Trains some steps and saves. @returns the tensor of that name as it was after each step, and as it is in the checkpoint */
async function train(name: string, emaDecay: number | undefined, steps = 3) {
  const base = join(folder(), "base");
  await writeTinyModel(base);
  const learner = await Learner.open(base);
  const { tokens, width } = learner.facts;
  expect(tokens).toBe(TINY_PROMPT_LENGTH);
  const shapes = { batch: 2, latent: TINY_LATENT, tokens, width };
  await learner.build({ objective: { kind: "sft" }, shapes, session: { threads: 1 }, emaDecay });
  const stream = createPhiloxStream(1n, { iteration: 0, index: 0, purpose: 0 });
  const normals = (...shape: number[]) => stream.normals(sizeOf(shape));
  const target = join(folder(), name);
  for (let step = 0; step < steps; step++) {
    await learner.add({
      real_xt: normals(2, ...TINY_LATENT),
      real_target: normals(2, ...TINY_LATENT),
      real_timestep: Float32Array.of(100, 700),
      encoder_hidden_states: normals(2, tokens, width),
    });
    learner.update({ ...ADAMW_DEFAULTS, learningRate: 1e-2 });
  }
  const { manifest } = await learner.save(target, "source", undefined);
  await learner.release();
  const saved = await (await openModelFolder(target)).unet!.weights.readFloat32(NAME);
  return { target, saved, manifest };
}

test("a checkpoint of averages holds what the weights' course averages to, and the weights beside it outside the digest", async () => {
  const course: Float32Array[] = [];
  for (let steps = 1; steps <= 3; steps++) course.push((await train(`plain-${steps}`, undefined, steps)).saved);
  const expected = new MovingAverage(new Map([[NAME, course[0]!]]), 0.9);
  for (const weights of course) expected.update(new Map([[NAME, weights]]));
  const { target, saved, manifest } = await train("averaged", 0.9);
  expect(saved).toEqual(expected.views.get(NAME));
  expect(saved).not.toEqual(course[2]);
  const raw = await openSafetensors(join(target, "training_state", "raw_weights.safetensors"));
  expect(await raw.readFloat32(NAME)).toEqual(course[2]);
  expect(manifest.files.map(({ path }) => path).filter((path) => path.startsWith("training_state"))).toEqual([]);
});
