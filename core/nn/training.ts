import { SpinError } from "../errors.js";
import { blockSize } from "../graph/block-size.js";
import { gradients } from "../graph/gradient.js";
import { type EmitOptions, emitModel } from "../graph/onnx.js";
import { Session, type SessionOptions, type TensorData } from "../graph/session.js";
import { bytesOf, type Shape, sizeOf, type Value } from "../graph/value.js";
import { AdamW, type AdamWOptions, clipFactor } from "./adamw.js";
import { chooseSegments } from "./choose-segments.js";
import { type FlatTensors, flatTensors, totalSize } from "./flat-tensors.js";
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
}

export interface StepResult extends UpdateResult {
  /** Per micro-batch. */
  readonly outputs: readonly Outputs[];
}

const GRADIENT = "gradient:";
/** Weights, gradients, a micro-batch's gradients, and both moments. */
const FLAT_BUFFERS = 5;

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
  /** Micro-batches in the sum of gradients. */
  #added = 0;

  private constructor(session: Session, shapes: ReadonlyMap<string, Shape>, compileForward: () => Promise<Session>) {
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
    { external, memoryBudgetMb, ...options }: TrainingOptions = {},
  ): Promise<Training> {
    const p = new Parameters();
    const { loss, outputs } = build(p);
    const trained = [...p.all()].filter(([name]) => external?.(name) === undefined);
    const values = trained.map(([, value]) => value);
    const block = (options.device ?? "cpu") === "cpu" ? await blockSize() : undefined;
    const write = (segments: number) => {
      const grads = gradients(loss, values, { segments });
      const named = Object.fromEntries(trained.map(([name], i) => [GRADIENT + name, grads[i]!]));
      return emitModel({ loss, ...outputs, ...named }, { external, block });
    };
    const { model, segments } = chooseSegments(write, FLAT_BUFFERS * bytesOf(values), memoryBudgetMb);
    const session = await Session.create(model, { ...options, freesBuffers: segments > 1 });
    const compileForward = () => Session.create(emitModel({ ...outputs }, { external, block }), options);
    const shapes = new Map(trained.map(([name, { shape }]) => [name, shape]));
    const training = new Training(session, shapes, compileForward);
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
    const all = await this.#session.run({ ...Object.fromEntries(this.weights.views), ...feeds }, into);
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
   * Updates the weights by the mean gradient of the micro-batches added since the last update.
   * @throws SpinError "diverged" where that gradient is not finite; the weights are left as they are.
   */
  update(options: UpdateOptions): UpdateResult {
    const count = this.#added;
    this.#added = 0;
    const gradientNorm = this.optimizer.gradientNorm() / count;
    if (!Number.isFinite(gradientNorm)) {
      const remedy = "lower the learning rate or the objective's weight";
      throw new SpinError("diverged", `the gradient's norm is ${gradientNorm}`, { remedy });
    }
    const scale = clipFactor(gradientNorm, options.maxNorm) / count;
    const updateNorm = this.optimizer.update(this.weights.data, this.#gradients.data, options, scale);
    return { gradientNorm, updateNorm };
  }

  /** Gradients of the last step, before clipping: the sum over its micro-batches. */
  gradient(name: string): Float32Array {
    return this.#gradients.views.get(name)!;
  }

  async release(): Promise<void> {
    await this.#session.release();
    await this.#forward?.release();
  }
}

function addInto(sum: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[i]!;
}
