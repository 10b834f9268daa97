import { openModelFolder, requireComponent } from "../core/checkpoint/model-folder.js";
import { SpinError } from "../core/errors.js";
import { largestDivisor } from "../core/largest-divisor.js";
import { vaeFactor } from "../core/models/vae/config.js";
import { drawBytes, mostSamples } from "../core/service/draw-bytes.js";
import { RESPONSE_LIMIT_BYTES } from "../core/service/limits.js";
import { latentShape } from "./draws/expected-draws.js";
import { type CheckedSpec, formOf } from "./settings.js";

const MB = 1e6;
const FIELD = "spec.sampling.batch_size";

/**
 * A sampling batch travels as one message, with all its draws: whole trajectories of large latents soon outgrow it. Told before anything is
 * computed, from configurations alone.
 * @param folder of the model that the iteration begins with
 * @throws SpinError "invalid" naming the field and the largest batch that fits, and for a resolution that the model does not have
 */
export async function checkMessageSize(spec: CheckedSpec, folder: string): Promise<void> {
  const model = await openModelFolder(folder);
  const { config } = requireComponent(model, "unet");
  const text = requireComponent(model, model.textEncoder2 === undefined ? "textEncoder" : "textEncoder2").config;
  const factor = vaeFactor(requireComponent(model, "vae").config);
  const facts = { latentChannels: config.inChannels, vaeFactor: factor, sampleSize: config.sampleSize };
  const { batchSize, drawsPerSample, image } = spec.sampling;
  const latentSize = latentShape(facts, image!.resolution).reduce((product, extent) => product * extent, 1);
  const conditionSize =
    text.maxPositionEmbeddings * config.crossAttentionDim + (config.textTime?.projectionInputDim ?? 0);
  const sizes = { form: formOf(spec.objective), drawsPerSample, latentSize, conditionSize };
  const most = mostSamples(sizes);
  if (batchSize <= most) return;
  const taken = `${(drawBytes(sizes, batchSize) / MB).toFixed(0)} MB in one message`;
  const message = `expected a batch whose draws fit ${(RESPONSE_LIMIT_BYTES / MB).toFixed(0)} MB, got ${batchSize} samples of ${drawsPerSample} draws each, which take ${taken}`;
  if (most === 0) {
    throw new SpinError("invalid", `spec.sampling.draws_per_sample: ${message}`, {
      field: "spec.sampling.draws_per_sample",
      remedy: "not even the draws of one sample fit: ask for fewer draws (whole trajectories: fewer sampling steps)",
    });
  }
  const fitting = largestDivisor(spec.batchSize, most);
  throw new SpinError("invalid", `${FIELD}: ${message}`, {
    field: FIELD,
    remedy: `set ${FIELD} to ${fitting}, the largest that fits and divides the batch of ${spec.batchSize}`,
  });
}
