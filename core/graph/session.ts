import { InferenceSession, Tensor } from "onnxruntime-node";
import { SpinError } from "../errors.js";
import { type Device, executionProvider } from "./device.js";
import { NO_ANSWER } from "./graph-writer.js";
import type { EmittedModel } from "./onnx.js";
import { type DType, formatType, sizeOf, type TensorType } from "./value.js";

/** Row-major elements of a tensor, as onnxruntime takes and gives them. */
export type TensorData = Float32Array | BigInt64Array | Uint8Array | Uint16Array;

export interface SessionOptions {
  /** Threads inside one operator; results may depend on it in the last bit. */
  readonly threads?: number;
  /** Where it runs; the CPU where nothing is named (see {@link setDefaultDevice}). */
  readonly device?: Device;
  /** Bytes of converted weights, by the name that external tensors use as `location`. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Folder of the weight files that external tensors name as `location`: these are mapped, not read. */
  readonly weightsFolder?: string;
  /**
   * Frees every buffer after its last use. Else one that is free waits for the next value of its shape, and each shape keeps the memory of the
   * moment at which it had most. Nodes then run two at a time, which takes longer.
   */
  readonly freesBuffers?: boolean;
  /** Writes onnxruntime's profile to files that begin so. */
  readonly profilePrefix?: string;
}

const ELEMENTS: Record<DType, new (size: number) => TensorData> = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};

/** What onnxruntime-node says of {@link NO_ANSWER}, once everything is computed. */
const NO_TENSOR = "Non tensor type is temporarily not supported.";

let defaultDevice: Device = "cpu";

/** Where sessions run that name no device: for programs that do all they do on one, as a check of a device. */
export function setDefaultDevice(device: Device): void {
  defaultDevice = device;
}

/** A model ready to run. Runs block the calling thread: services hold sessions in a worker. */
export class Session {
  readonly #session: InferenceSession;
  readonly #model: EmittedModel;

  private constructor(session: InferenceSession, model: EmittedModel) {
    this.#session = session;
    this.#model = model;
  }

  /** Compiles a model. @throws SpinError (internal) with onnxruntime's reason where it is refused. */
  static async create(model: EmittedModel, options: SessionOptions = {}): Promise<Session> {
    try {
      const session = await InferenceSession.create(model.bytes, {
        executionProviders: [executionProvider(options.device ?? defaultDevice)],
        intraOpNumThreads: options.threads ?? 0,
        // The runtime's planner shares buffers between values of one shape but in parallel mode, which takes two threads.
        interOpNumThreads: options.freesBuffers ? 2 : 1,
        executionMode: options.freesBuffers ? "parallel" : "sequential",
        graphOptimizationLevel: "all",
        enableMemPattern: false, // The pattern's block comes on top of what the first run took: 40 % more memory, no less time.
        logSeverityLevel: 3,
        ...(options.externalData === undefined ? {} : { externalData: [...options.externalData] }),
        ...(options.profilePrefix === undefined
          ? {}
          : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
        ...(options.weightsFolder === undefined
          ? {}
          : { extra: { session: { model_external_initializers_file_folder_path: options.weightsFolder } } }),
      });
      return new Session(session, model);
    } catch (cause) {
      if (cause instanceof SpinError) throw cause;
      throw new SpinError("internal", `onnxruntime refused the graph: ${(cause as Error).message}`, { cause });
    }
  }

  /**
   * Runs the model once.
   *
   * @param feeds data of every input, row-major.
   * @param into arrays to write outputs to; outputs without one get arrays of their own. What is returned are copies, but for a model that
   *   `writesOnly`: of that, the arrays themselves.
   * @throws SpinError (internal) naming the input where one is missing or has the wrong type or size.
   */
  async run<T extends TensorData = Float32Array>(
    feeds: Readonly<Record<string, TensorData>>,
    into: Readonly<Record<string, TensorData>> = {},
  ): Promise<Record<string, T>> {
    const tensors: Record<string, Tensor> = {};
    for (const [name, type] of this.#model.inputs) tensors[name] = toTensor(name, type, feeds[name]);
    if (this.#model.writesOnly) return this.#write(tensors, into) as Promise<Record<string, T>>;
    const fetches: Record<string, Tensor | null> = {};
    for (const [name, type] of this.#model.outputs) {
      fetches[name] = into[name] === undefined ? null : toTensor(name, type, into[name]);
    }
    const results = await this.#session.run(tensors, fetches);
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data as T]));
  }

  async #write(
    tensors: Record<string, Tensor>,
    into: Readonly<Record<string, TensorData>>,
  ): Promise<Record<string, TensorData>> {
    const written: Record<string, TensorData> = {};
    const fetches: Record<string, Tensor | null> = { [NO_ANSWER]: null };
    for (const [name, type] of this.#model.outputs) {
      written[name] = into[name] ?? new ELEMENTS[type.dtype](sizeOf(type.shape));
      fetches[name] = toTensor(name, type, written[name]);
    }
    try {
      await this.#session.run(tensors, fetches);
    } catch (error) {
      if ((error as Error).message !== NO_TENSOR) throw error;
    }
    return written;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function toTensor(name: string, type: TensorType, data: TensorData | undefined): Tensor {
  if (data === undefined || data.length !== sizeOf(type.shape) || !(data instanceof ELEMENTS[type.dtype])) {
    const came = data === undefined ? "nothing" : `${data.constructor.name} of ${data.length}`;
    throw new SpinError("internal", `session: "${name}" is ${formatType(type)}, came ${came}`);
  }
  return new Tensor(type.dtype as "float32", data as Float32Array, type.shape);
}
