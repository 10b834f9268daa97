// The peak of resident memory, in KiB, of two steps of equation 4.8 over trajectories of as many steps as the argument says. Runs
// the built code in a process of its own: a peak is never given back.
import { buildObjective } from "../../dist/core/diffusion/objectives/objective.js";
import { addTrajectories } from "../../dist/core/diffusion/objectives/spin-exact.js";
import { createPhiloxStream } from "../../dist/core/diffusion/philox.js";
import * as ops from "../../dist/core/graph/ops/index.js";
import { largestDivisor } from "../../dist/core/largest-divisor.js";
import { conv2d } from "../../dist/core/nn/layers.js";
import { Training } from "../../dist/core/nn/training.js";

const numSteps = Number(process.argv[2]);
const size = largestDivisor(numSteps, 8);
const latent = [4, 32, 32];
const stream = createPhiloxStream(1n, { iteration: 0, index: 0, purpose: 0 });
const normals = (count) => stream.normals(count);

const denoiser = (p) => (xt) => {
  let x = conv2d(p.at("in"), xt, 64);
  for (let layer = 0; layer < 6; layer++) x = ops.add(x, conv2d(p.at("block", layer), ops.silu(x), 64));
  return conv2d(p.at("out"), x, 4);
};
const training = await Training.create(
  (p) => buildObjective({ kind: "spin-exact" }, denoiser(p), { batch: size, latent, tokens: 1, width: 2 }),
  (_, shape) => normals(shape.reduce((a, b) => a * b, 1)).map((x) => x / 16),
  { threads: 1 },
);
for (let step = 0; step < 2; step++) {
  const latents = () => normals(size * 4096);
  const microBatches = Array.from({ length: numSteps / size }, () => ({
    real_xt: latents(),
    real_target: latents(),
    real_timestep: new Float32Array(size),
    synthetic_xt: latents(),
    synthetic_target: latents(),
    synthetic_timestep: new Float32Array(size),
    encoder_hidden_states: new Float32Array(2 * size),
    real_reference: new Float32Array(size),
    synthetic_reference: new Float32Array(size),
    weight: new Float32Array(size).fill(1e-3),
  }));
  await addTrajectories(training, microBatches, numSteps);
  training.update({ learningRate: 1e-6, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 });
}
process.stdout.write(String(process.resourceUsage().maxRSS));
