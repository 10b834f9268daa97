import { SpinError } from "../core/errors.js";
import { cancelled, serveWorker } from "../core/runtime/worker-host.js";
import { type DrawSizes, drawBytes, mostSamples } from "../core/service/draw-bytes.js";
import { RESPONSE_LIMIT_BYTES } from "../core/service/limits.js";
import { SampleForm } from "../proto/gen/spin/v1/sampling.js";
import { batchInputs } from "./batch-inputs.js";
import { ConditionEncoder } from "./condition-encoder.js";
import { drawJob } from "./draw-job.js";
import { encodeDraws } from "./draw-message.js";
import { type BeforeRun, unetConditions } from "./draws.js";
import { EncodedStore } from "./encoded-store.js";
import { LoadedModels, pictureSide } from "./loaded-models.js";
import { renderPictures } from "./pictures.js";
import { sampleDraws } from "./sample-draws.js";
import { TrainingSources } from "./training-source.js";
import type { BatchCost, ComputeMethods } from "./worker-contract.js";

/** Runs in a worker thread: holds the models and computes one batch at a time. */

let sources = new TrainingSources();
let models: LoadedModels | undefined;
let encoder: ConditionEncoder | undefined;

function configured(): { models: LoadedModels; encoder: ConditionEncoder } {
  if (models === undefined || encoder === undefined) throw new SpinError("internal", "the worker was not configured");
  return { models, encoder };
}

/** What a batch takes, and whether anybody still waits for it. */
interface Meter {
  /** @throws SpinError `cancelled` once nobody does. */
  readonly proceed: () => void;
  readonly beforeRun: BeforeRun;
  /** Seconds so far. */
  readonly elapsed: () => number;
  readonly cost: () => BatchCost;
}

function meter(what: string, signal: AbortSignal): Meter {
  const start = performance.now();
  let unetEvaluations = 0;
  const proceed = () => {
    if (signal.aborted) throw cancelled(what);
  };
  const elapsed = () => (performance.now() - start) / 1000;
  return {
    proceed,
    beforeRun(samples) {
      proceed();
      unetEvaluations += samples;
    },
    elapsed,
    cost: () => ({
      seconds: elapsed(),
      unetEvaluations,
      encodings: configured().encoder.takeCounts(),
      loaded: configured().models.digests,
      data: sources.reports,
    }),
  };
}

const methods: ComputeMethods = {
  async configure({ session, maxLoaded, encodedBytes, encodedDisk, data }) {
    models = new LoadedModels(session, maxLoaded);
    encoder = new ConditionEncoder(encodedBytes, encodedDisk && (await EncodedStore.open(encodedDisk)));
    sources = new TrainingSources(data);
  },

  async captions({ dataset, indices }) {
    const opened = await sources.dataset(dataset, "dataset", "test");
    return indices.map(({ index, field }) => {
      if (index < opened.size) return opened.item(index).caption;
      const message = `${field}: expected 0 to ${opened.size - 1} for the data set "${dataset.name}", got ${index}`;
      throw new SpinError("invalid", message, { field });
    });
  },

  async draws({ checkpoint, opponent, spec, stamp }, signal) {
    const { proceed, beforeRun, elapsed, cost } = meter("sampling", signal);
    const job = drawJob(spec, stamp.firstIndex);
    const settings = spec.settings!;
    const isPair = spec.form === SampleForm.SAMPLE_FORM_PAIR;
    const source = await sources[isPair ? "pairs" : "images"](spec.dataset!, "spec.dataset");
    const model = await configured().models.get(checkpoint);
    const resolution = pictureSide(model, settings.image!.resolution, "spec.settings.image.resolution");
    const side = resolution / model.factor;
    const latentShape = [model.latentChannels, side, side];
    const latentSize = latentShape.reduce((product, extent) => product * extent, 1);
    const { conditionSize } = model;
    checkMessageSize(
      { form: spec.form, drawsPerSample: job.drawsPerSample, latentSize, conditionSize },
      settings.batchSize,
    );
    const { encoder } = configured();
    const inputs = await batchInputs(model, encoder, source, job, settings, resolution, latentShape, proceed);
    const other = opponent && (await configured().models.beside(checkpoint, opponent));
    const draws = await sampleDraws(model.frozen, job, inputs, beforeRun, other?.frozen);
    const seconds = elapsed();
    const message = encodeDraws({ draws, latentShape, conditions: unetConditions(inputs), seconds }, stamp);
    return { message, encodeSeconds: elapsed() - seconds, cost: cost() };
  },

  async pictures({ checkpoint, job }, signal) {
    const { beforeRun, cost } = meter("rendering", signal);
    const model = await configured().models.get(checkpoint);
    const pictures = await renderPictures(model, configured().encoder, job, beforeRun);
    return { pictures, cost: cost() };
  },
};

/** @throws SpinError `invalid` for draws that do not fit one message, before anything is computed. */
function checkMessageSize(sizes: DrawSizes, samples: number): void {
  const bytes = drawBytes(sizes, samples);
  if (bytes <= RESPONSE_LIMIT_BYTES) return;
  throw new SpinError("invalid", `a batch of draws takes ${bytes} bytes, the limit is ${RESPONSE_LIMIT_BYTES}`, {
    field: "spec.settings.batch_size",
    remedy: `ask for batches of at most ${mostSamples(sizes)} samples, or for fewer draws of each`,
  });
}

serveWorker(methods);
