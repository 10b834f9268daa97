import { SpinError } from "../errors.js";
import { blockSize } from "../graph/block-size.js";
import { type GradientOptions, gradients } from "../graph/gradient.js";
import { inMixedPrecision } from "../graph/mixed-precision.js";
import { type EmitOptions, emitModel } from "../graph/onnx.js";
import { input, mul } from "../graph/ops/index.js";
import { Session, type SessionOptions, type TensorData } from "../graph/session.js";
import { bytesOf, type HalfDType, type Shape, sizeOf, type Value } from "../graph/value.js";
import { AdamW, type AdamWOptions, clipFactor } from "./adamw.js";
import { chooseSegments } from "./choose-segments.js";
import { type FlatTensors, flatTensors, totalSize } from "./flat-tensors.js";
import { LossScale } from "./loss-scale.js";
import { Parameters } from "./parameters.js";

/** A loss to descend, with values to report beside it. */
export interface Objective {
  readonly loss: Value;
  readonly outputs: Readonly<Record<string, Value>>;
}

export interface UpdateOptions extends AdamWOptions {
  /** Limit of the gradients' global norm; none where absent. */
  readonly maxNorm?: number;
}

/** What an update did. */
export interface UpdateResult {
  /** Factor of the loss in this step, and updates left out so far, this one perhaps among them; float16 alone has them. */
  readonly lossScale?: number;
  readonly skippedUpdates?: number;
  /** Global norm of the mean gradient, before clipping. */
  readonly gradientNorm: number;
  /** Euclidean norm of the weights' change. */
  readonly updateNorm: number;
}

/** What a graph takes besides the weights. */
export type Feeds = Readonly<Record<string, TensorData>>;
/** What it gives besides the gradients: the loss under "loss", and the objective's outputs. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** How the graph is compiled. Parameters that `external` binds to a file are constants: mapped, and not trained. */
export interface TrainingOptions extends SessionOptions, EmitOptions {
  /** What the weights that are trained, their gradients and moments, and the graph's values may take together, in MiB; no limit where absent. */
  readonly memoryBudgetMb?: number;
  /** What products are computed in; weights, moments and sums stay float32. float32 where nothing is said. */
  readonly precision?: TrainingPrecision;
}

export type TrainingPrecision = "float32" | HalfDType;

export interface StepResult extends UpdateResult {
  /** Per micro-batch. */
  readonly outputs: readonly Outputs[];
}

const GRADIENT = "gradient:";
/** Weights, gradients, a micro-batch's gradients, and both moments. */
const FLAT_BUFFERS = 5;
const LOSS_SCALE = "loss_scale";

/**
 * A trainable graph: forward and backward in one ONNX model, weights and moments in flat buffers outside it, so that
 * a run's outputs are written where the optimiser reads them. Blocks while it computes; services hold it in a worker.
 */
export class Training {
  readonly weights: FlatTensors;
  readonly optimizer: AdamW;
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly #gradients: FlatTensors;
  readonly #session: Session;
  /** Makes the graph without gradients. */
  readonly #compileForward: () => Promise<Session>;
  #forward: Session | undefined;
  #partial: FlatTensors | undefined;
  readonly #lossScale: LossScale | undefined;
  /** Micro-batches in the sum of gradients. */
  #added = 0;

  private constructor(
    session: Session,
    shapes: ReadonlyMap<string, Shape>,
    compileForward: () => Promise<Session>,
    lossScale: LossScale | undefined,
  ) {
    this.#lossScale = lossScale;
    this.#session = session;
    this.#compileForward = compileForward;
    this.shapes = shapes;
    this.optimizer = new AdamW(totalSize(shapes));
    this.weights = flatTensors(shapes, this.optimizer.parameters);
    this.#gradients = flatTensors(shapes, this.optimizer.gradients);
  }

  /**
   * @param build makes the objective from parameters, which become trainable with it unless they are bound to a file.
   * @param initial every trainable parameter's values, by name, of the shapes that `build` asks for.
   */
  static async create(
    build: (p: Parameters) => Objective,
    initial: (name: string, shape: Shape) => Promise<Float32Array> | Float32Array,
    { external, precision = "float32", memoryBudgetMb, ...options }: TrainingOptions = {},
  ): Promise<Training> {
    const p = new Parameters();
    const { loss, outputs } = inPrecision(build(p), precision);
    const lossScale = precision === "float16" ? new LossScale() : undefined;
    const trained = [...p.all()].filter(([name]) => external?.(name) === undefined);
    const values = trained.map(([, value]) => value);
    const isPlain = (options.device ?? "cpu") === "cpu" && precision === "float32";
    const block = isPlain ? await blockSize() : undefined;
    const descended = lossScale === undefined ? loss : mul(loss, input(LOSS_SCALE, []));
    const write = (anew: GradientOptions) => {
      const grads = gradients(descended, values, anew);
      const named = Object.fromEntries(trained.map(([name], i) => [GRADIENT + name, grads[i]!]));
      return emitModel({ loss, ...outputs, ...named }, { external, block, writesOnly: true });
    };
    const { model, segments = 1 } = chooseSegments(write, FLAT_BUFFERS * bytesOf(values), memoryBudgetMb);
    const session = await Session.create(model, { ...options, freesBuffers: segments > 1 });
    const compileForward = () => Session.create(emitModel({ ...outputs }, { external, block }), options);
    const shapes = new Map(trained.map(([name, { shape }]) => [name, shape]));
    const training = new Training(session, shapes, compileForward, lossScale);
    for (const [name, view] of training.weights.views) {
      const values = await initial(name, training.shapes.get(name)!);
      if (values.length !== view.length) {
        const message = `${values.length} values for "${name}", which has ${sizeOf(training.shapes.get(name)!)}`;
        throw new SpinError("invalid", message, { tensor: name });
      }
      view.set(values);
    }
    return training;
  }

  /** One optimiser step on the mean gradient of the micro-batches, which count alike. @throws as {@link update} */
  async step(microBatches: readonly Feeds[], update: UpdateOptions): Promise<StepResult> {
    const outputs = await this.accumulate(microBatches);
    return { outputs, ...this.update(update) };
  }

  /** Sums the micro-batches' gradients without an update; {@link gradient} reads them. */
  async accumulate(microBatches: readonly Feeds[]): Promise<readonly Outputs[]> {
    this.#added = 0;
    const outputs: Outputs[] = [];
    for (const feeds of microBatches) outputs.push(await this.add(feeds));
    return outputs;
  }

  /** Adds one micro-batch's gradients to the sum, which begins anew after each {@link update}. */
  async add(feeds: Feeds): Promise<Outputs> {
    if (this.#added > 0) this.#partial ??= flatTensors(this.shapes);
    const target = this.#added === 0 ? this.#gradients : this.#partial!;
    const into = Object.fromEntries([...target.views].map(([name, view]) => [GRADIENT + name, view]));
    const scale = this.#lossScale && { [LOSS_SCALE]: Float32Array.of(this.#lossScale.factor) };
    const all = await this.#session.run({ ...Object.fromEntries(this.weights.views), ...feeds, ...scale }, into);
    if (this.#added > 0) addInto(this.#gradients.data, target.data);
    this.#added += 1;
    return Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith(GRADIENT)));
  }

  /** The objective's outputs, without the loss and without gradients: a forward pass alone, of a graph that is compiled when first needed. */
  async evaluate(feeds: Feeds): Promise<Outputs> {
    this.#forward ??= await this.#compileForward();
    return this.#forward.run({ ...Object.fromEntries(this.weights.views), ...feeds });
  }

  /**
   * Updates the weights by the mean gradient of the micro-batches added since the last update; in float16, where it overflowed, leaves them.
   * @throws SpinError "diverged" where that gradient is not finite; the weights are left as they are.
   */
  update(options: UpdateOptions): UpdateResult {
    const count = this.#added;
    this.#added = 0;
    const lossScale = this.#lossScale?.factor ?? 1;
    const gradientNorm = this.optimizer.gradientNorm() / (count * lossScale);
    const isUsable = this.#lossScale?.note(gradientNorm);
    const scaling = this.#lossScale && { lossScale, skippedUpdates: this.#lossScale.skipped };
    if (isUsable === false) return { gradientNorm, updateNorm: 0, ...scaling };
    if (!Number.isFinite(gradientNorm)) {
      const remedy = "lower the learning rate or the objective's weight";
      throw new SpinError("diverged", `the gradient's norm is ${gradientNorm}`, { remedy });
    }
    const scale = clipFactor(gradientNorm, options.maxNorm) / (count * lossScale);
    const updateNorm = this.optimizer.update(this.weights.data, this.#gradients.data, options, scale);
    return { gradientNorm, updateNorm, ...scaling };
  }

  /** Gradients of the last step, before clipping: the sum over its micro-batches. */
  gradient(name: string): Float32Array {
    return this.#gradients.views.get(name)!;
  }

  /**
   * Weights and moments by name: with {@link scalars}, all that the next step depends on where no micro-batch has been added to it yet. Views,
   * to be read from and written to.
   */
  stateTensors(): ReadonlyMap<string, Float32Array> {
    const { expAvg, expAvgSq } = this.optimizer;
    const groups = {
      weights: this.weights.views,
      exp_avg: flatTensors(this.shapes, expAvg).views,
      exp_avg_sq: flatTensors(this.shapes, expAvgSq).views,
    };
    return new Map(
      Object.entries(groups).flatMap(([group, views]) =>
        [...views].map(([name, view]): [string, Float32Array] => [`${group}.${name}`, view]),
      ),
    );
  }

  /** Counts of optimiser and loss scale, to be kept and given back. */
  get scalars(): Readonly<Record<string, number>> {
    const [factor, sinceChange, skipped] = this.#lossScale?.state ?? [1, 0, 0];
    return { optimizerSteps: this.optimizer.steps, lossScale: factor, sinceScaleChange: sinceChange, skipped };
  }

  set scalars({ optimizerSteps, lossScale, sinceScaleChange, skipped }: Readonly<Record<string, number>>) {
    this.optimizer.steps = optimizerSteps!;
    if (this.#lossScale !== undefined) this.#lossScale.state = [lossScale!, sinceScaleChange!, skipped!];
  }

  async release(): Promise<void> {
    await this.#session.release();
    await this.#forward?.release();
  }
}

/** The objective with its products in 16 bits, where that is asked for. */
function inPrecision({ loss, outputs }: Objective, precision: TrainingPrecision): Objective {
  if (precision === "float32") return { loss, outputs };
  const names = Object.keys(outputs);
  const [rounded, ...others] = inMixedPrecision([loss, ...Object.values(outputs)], precision);
  return { loss: rounded!, outputs: Object.fromEntries(names.map((name, i) => [name, others[i]!])) };
}

function addInto(sum: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[i]!;
}
