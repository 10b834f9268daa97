import { openModelFolder, requireComponent } from "../../../core/checkpoint/model-folder.js";
import { LOGISTIC, marginLossOf } from "../../../core/diffusion/objectives/margin-loss.js";
import {
  buildObjective,
  drawWeights,
  type ObjectiveSettings,
  type PairSettings,
} from "../../../core/diffusion/objectives/objective.js";
import { type SpinSettings, spinWeight, type Trajectory } from "../../../core/diffusion/objectives/spin-approximate.js";
import { addTrajectories, trajectoryMargins } from "../../../core/diffusion/objectives/spin-exact.js";
import { type TargetType, trajectorySteps } from "../../../core/diffusion/trajectory.js";
import { joinFloats } from "../../../core/join-floats.js";
import { unet } from "../../../core/models/unet/unet.js";
import { globalNorm } from "../../../core/nn/adamw.js";
import { Training } from "../../../core/nn/training.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import {
  abarOf,
  pickRows,
  renoised,
  renoisedSides,
  type Side,
  type Walk,
  walkTrajectories,
} from "./objective-draws.js";

type Feeds = Readonly<Record<string, Float32Array>>;

interface ObjectiveParameters {
  readonly loss: "spin" | "pair" | "sft";
  readonly adamw: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weight_decay: number;
  };
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { loss } = reference.parameters as unknown as ObjectiveParameters;
  switch (loss) {
    case "spin":
      return spin(reference);
    case "pair":
      return pair(reference);
    case "sft":
      return supervised(reference);
  }
}

async function supervised(reference: ReferenceCase): Promise<CaseResult> {
  const { prediction_type } = reference.parameters as unknown as { readonly prediction_type: TargetType };
  const { xt, target } = await renoised(reference, "in.x0", prediction_type);
  const training = await createTraining(reference, { kind: "sft" });
  const feeds = {
    ...(await shared(reference)),
    real_xt: xt,
    real_target: target,
    real_timestep: await timesteps(reference),
  };
  const { outputs, result } = await update(reference, training, [feeds]);
  return { ...result, tensors: { ...result.tensors, "out.mse": perSample(outputs[0]!.real_error!) } };
}

async function pair(reference: ReferenceCase): Promise<CaseResult> {
  const { beta } = reference.parameters as unknown as { readonly beta: number };
  const { real, synthetic } = await renoisedSides(reference);
  const settings = { kind: "spin-renoised", beta } as const;
  const training = await createTraining(reference, settings);
  const weights = drawWeights(settings, () => {
    throw new Error("the re-noised form has no trajectory");
  });
  const t = await timesteps(reference);
  const feeds = { ...(await shared(reference)), ...pairFeeds(real, synthetic, t), weight: t.map(weights) };
  const { outputs, result } = await update(reference, training, [feeds]);
  const inside = Array.from(outputs[0]!.inside!);
  return {
    tensors: {
      ...result.tensors,
      "out.mse_winner": perSample(outputs[0]!.real_error!),
      "out.mse_loser": perSample(outputs[0]!.synthetic_error!),
      "out.mse_winner_reference": perSample(real.reference),
      "out.mse_loser_reference": perSample(synthetic.reference),
    },
    values: { ...result.values, inside, accuracy: accuracy(inside) },
  };
}

interface SpinParameters {
  readonly form: "approximate" | "exact";
  readonly beta: number | null;
  readonly lambda: number | null;
  readonly reduction: SpinSettings["reduction"];
  readonly steps: { readonly eta: number; readonly timesteps: readonly number[] };
  /** The step of each sample, counted from t = T; null for all of them. */
  readonly t_index: readonly number[] | null;
}

async function spin(reference: ReferenceCase): Promise<CaseResult> {
  const { form, beta, lambda, reduction, steps, t_index } = reference.parameters as unknown as SpinParameters;
  const { shape } = await reference.tensor("in.x0");
  const [batch, ...latent] = shape as [number, ...number[]];
  const trajectory: Trajectory = {
    steps: trajectorySteps(abarOf(reference), steps.timesteps, steps.eta),
    targetType: "epsilon",
    latentSize: latent.reduce((product, extent) => product * extent, 1),
  };
  const { real, synthetic } = await walkTrajectories(reference, trajectory.steps);
  const norms = { errorSpace: "mu", reduction } as const;
  const settings: PairSettings =
    form === "exact"
      ? { kind: "spin-exact", beta: { lambda: lambda! }, ...norms }
      : { kind: "spin", beta: lambda === null ? beta! : { lambda }, ...norms };
  const training = await createTraining(reference, settings);
  const common = await shared(reference);
  const weights = drawWeights(settings, () => trajectory);
  /** Draws of each sample at a step of its own, one sample per row. */
  const feedsAt = (choice: readonly number[]): Feeds => {
    const side = ({ sides }: Walk): Side => ({
      xt: pickRows(
        sides.map((one) => one.xt),
        choice,
      ),
      target: pickRows(
        sides.map((one) => one.target),
        choice,
      ),
      reference: pickRows(
        sides.map((one) => one.reference),
        choice,
      ),
    });
    const t = Float32Array.from(choice, (i) => steps.timesteps[i]!);
    return { ...common, ...pairFeeds(side(real), side(synthetic), t), weight: t.map(weights) };
  };

  const everyStep = steps.timesteps.map((_, i) => feedsAt(Array.from({ length: batch }, () => i)));
  const margins = new Float32Array(batch * everyStep.length);
  for (const [i, feeds] of everyStep.entries()) {
    const outputs = await training.evaluate(feeds);
    const toMu = spinWeight({ beta: 1, errorSpace: "mu", reduction }, trajectory, steps.timesteps[i]!);
    for (let n = 0; n < batch; n++) {
      const change = (error: Float32Array, { sides }: Walk) => error[n]! - sides[i]!.reference[n]!;
      const gap = change(outputs.real_error!, real) - change(outputs.synthetic_error!, synthetic);
      margins[n * everyStep.length + i] = toMu * gap;
    }
  }

  const judged = await (form === "exact"
    ? exact(reference, training, everyStep)
    : approximate(reference, training, t_index === null ? everyStep : [feedsAt(t_index)]));
  const states = ({ states: all }: Walk): CaseTensor => ({
    shape: [batch, all.length, ...latent],
    data: Float32Array.from(
      Array.from({ length: batch }, (_, n) => n).flatMap((n) =>
        all.flatMap((state) => [...state.subarray(n * trajectory.latentSize, (n + 1) * trajectory.latentSize)]),
      ),
    ),
  });
  return {
    tensors: {
      ...judged.tensors,
      "out.real_trajectory": states(real),
      "out.synthetic_trajectory": states(synthetic),
      "out.A": { shape: [batch, everyStep.length], data: margins },
    },
    values: judged.values,
  };
}

/** Equation 4.9 at one step per sample, or at all of them. */
async function approximate(reference: ReferenceCase, training: Training, microBatches: readonly Feeds[]) {
  const { outputs, result } = await update(reference, training, microBatches);
  const insides = outputs.map(({ inside }) => Array.from(inside!));
  const common = { ...result.values, accuracy: accuracy(insides.flat()) };
  if (microBatches.length === 1) return { ...result, values: { ...common, inside: insides[0]! } };
  const inside = insides[0]!.map((_, n) => insides.map((row) => row[n]!));
  const trajectories = trajectoryMargins(Float32Array.from(inside.flat()), microBatches.length);
  const exactLoss = mean(Array.from(trajectories, (margin) => marginLossOf(LOGISTIC, margin)));
  const jensen = {
    approximate_over_all_t: result.values.loss,
    exact: exactLoss,
    approximate_is_not_less: result.values.loss >= exactLoss,
  };
  return { ...result, values: { ...common, inside, jensen } };
}

/** Equation 4.8, in two passes over micro-batches that cut the trajectories where they will. */
async function exact(reference: ReferenceCase, training: Training, everyStep: readonly Feeds[]) {
  const batch = everyStep[0]!.weight!.length;
  const microBatches = trajectoryByTrajectory(everyStep, batch);
  const { loss, inside } = await addTrajectories(training, microBatches, everyStep.length);
  const result = updated(reference, training, microBatches.length);
  await training.release();
  const values = { ...result.values, loss, inside: Array.from(inside), accuracy: accuracy(Array.from(inside)) };
  return { ...result, values };
}

/** Draws [T][N] in the order [N][T], N in a micro-batch. */
function trajectoryByTrajectory(everyStep: readonly Feeds[], batch: number): Feeds[] {
  const names = Object.keys(everyStep[0]!);
  return everyStep.map((_, i) => {
    const rows = Array.from({ length: batch }, (_, j) => i * batch + j);
    const columns = names.map((name) => {
      const parts = rows.map((row) => {
        const values = everyStep[row % everyStep.length]![name]!;
        const [n, size] = [Math.floor(row / everyStep.length), values.length / batch];
        return values.subarray(n * size, (n + 1) * size);
      });
      return [name, joinFloats(parts)] as const;
    });
    return Object.fromEntries(columns);
  });
}

/** The training graph of θ, a whole UNet. */
async function createTraining(reference: ReferenceCase, settings: ObjectiveSettings): Promise<Training> {
  const { config, weights } = requireComponent(await openModelFolder(reference.model("theta")), "unet");
  const latents = (await reference.tensor(reference.inputs.find((name) => name === "in.x0" || name === "in.winner")!))
    .shape;
  const [batch, tokens, width] = (await reference.tensor("in.states")).shape as [number, number, number];
  const latent = latents.slice(1) as [number, number, number];
  return Training.create(
    (p) =>
      buildObjective(
        settings,
        (sample, timestep, encoderHiddenStates) => unet(p, config, { sample, timestep, encoderHiddenStates }),
        { batch, latent, tokens, width },
      ),
    (name) => weights.readFloat32(name),
  );
}

/** One AdamW step: the loss, the gradients before it and the weights after it. */
async function update(reference: ReferenceCase, training: Training, microBatches: readonly Feeds[]) {
  const outputs = await training.accumulate(microBatches);
  const { tensors, values } = updated(reference, training, microBatches.length);
  await training.release();
  return { outputs, result: { tensors, values: { ...values, loss: mean(outputs.map((one) => one.loss![0]!)) } } };
}

/** Ends a step of so many micro-batches: their mean gradient, and the weights after it. */
function updated(reference: ReferenceCase, training: Training, count: number) {
  const { adamw } = reference.parameters as unknown as ObjectiveParameters;
  const { lr: learningRate, betas, eps, weight_decay: weightDecay } = adamw;
  const { gradientNorm } = training.update({ learningRate, betas, eps, weightDecay });
  const tensors: Record<string, CaseTensor> = {};
  const norms: Record<string, number> = {};
  for (const [name, shape] of training.shapes) {
    const gradient = training.gradient(name).map((sum) => sum / count);
    norms[name] = globalNorm(gradient);
    tensors[`out.grad.${name}`] = { shape, data: gradient };
    tensors[`out.theta_after.${name}`] = { shape, data: training.weights.views.get(name)! };
  }
  return { tensors, values: { gradient_norms: norms, gradient_norm: gradientNorm } };
}

const shared = async (reference: ReferenceCase) => ({ encoder_hidden_states: await reference.floats("in.states") });

const timesteps = async (reference: ReferenceCase) =>
  Float32Array.from((await reference.tensor("in.t")).data as Int32Array);

function pairFeeds(real: Side, synthetic: Side, t: Float32Array): Feeds {
  return {
    real_xt: real.xt,
    real_target: real.target,
    real_timestep: t,
    real_reference: real.reference,
    synthetic_xt: synthetic.xt,
    synthetic_target: synthetic.target,
    synthetic_timestep: t,
    synthetic_reference: synthetic.reference,
  };
}

const perSample = (data: Float32Array): CaseTensor => ({ shape: [data.length], data });

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const accuracy = (inside: readonly number[]) => inside.filter((z) => z > 0).length / inside.length;
