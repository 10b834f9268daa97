import { createManifest, parseManifest } from "../../core/checkpoint/manifest.js";
import { SpinError } from "../../core/errors.js";
import { samplingSpecDigest } from "../../core/service/digests.js";
import { decodeFloat32, encodeTensor } from "../../core/service/tensor-codec.js";
import { checkRequest } from "../../core/service/validation.js";
import * as evaluator from "../../evaluator/requests.js";
import { checkRender, checkSampling } from "../../generator/requests.js";
import { CheckpointServiceService, GetCheckpointResponse } from "../../proto/gen/spin/v1/checkpoint_service.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { GeneratorServiceService } from "../../proto/gen/spin/v1/generator_service.js";
import { DrawBatch } from "../../proto/gen/spin/v1/sampling.js";
import { Tensor } from "../../proto/gen/spin/v1/tensor.js";
import { TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { checkDraws } from "../../trainer/draws/check-draws.js";
import * as trainer from "../../trainer/requests.js";
import type { Decoder } from "./decoder.js";
import { DRAW_ADDED, DRAW_LATENT, DRAW_SPEC, DRAW_TEXT, drawBatch, xlDrawBatch } from "./draw-batches.js";
import { VALID_REQUESTS } from "./valid-requests.js";

/** A message that is no protobuf is refused before any handler sees it, by the generated code, with errors of its own. */
function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new SpinError("invalid", "not a message", { cause });
  }
}

/** A call as the server reads it: bytes to a message, and the message against what its contract promises. */
interface Call {
  readonly path: string;
  readonly read: (bytes: Uint8Array) => unknown;
}

function call<T>(
  { path, requestDeserialize }: { readonly path: string; readonly requestDeserialize: (bytes: Buffer) => T },
  check: (request: T) => unknown,
): Call {
  return { path, read: (bytes) => check(decoded(() => requestDeserialize(Buffer.from(bytes)))) };
}

/** The requests of a service, all its calls in turn. */
function requests(name: string, calls: readonly Call[]): Decoder {
  const seeds = calls.flatMap(({ path, read }) => VALID_REQUESTS[path]!.map((bytes) => ({ bytes, read })));
  return {
    name: `requests of ${name}`,
    seeds: async () => seeds.map(({ bytes }) => bytes),
    decode: async ({ bytes, seed }) => seeds[seed]!.read(bytes),
  };
}

const against =
  <T>(schema: Parameters<typeof checkRequest<T>>[0]) =>
  (request: unknown) =>
    checkRequest(schema, request);

const FINGERPRINT = { digest: "", runtime: "", provider: "cpu", instructionSet: "", threads: 1 };
const EXPECTED = {
  spec: DRAW_SPEC,
  specDigest: samplingSpecDigest(DRAW_SPEC),
  latent: DRAW_LATENT,
  text: DRAW_TEXT,
  numTrainTimesteps: 1000,
};

function manifestMessage(): Uint8Array {
  const { digest, files } = createManifest([
    { path: "unet/config.json", size: 12, sha256: "b".repeat(64) },
    { path: "unet/diffusion_pytorch_model.safetensors", size: 4096, sha256: "c".repeat(64) },
  ]);
  const manifest = { digest, files: files.map((file) => ({ ...file, size: BigInt(file.size) })) };
  return GetCheckpointResponse.encode(GetCheckpointResponse.fromPartial({ manifest })).finish();
}

/** What comes over the wire. */
export const MESSAGE_DECODERS: readonly Decoder[] = [
  {
    name: "tensor message",
    seeds: async () => [Tensor.encode(encodeTensor([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))).finish()],
    decode: async ({ bytes }) =>
      decodeFloat32(
        decoded(() => Tensor.decode(bytes)),
        "tensor",
      ),
  },
  {
    name: "message of draws",
    seeds: async () => [drawBatch(6), xlDrawBatch(6)].map((batch) => DrawBatch.encode(batch).finish()),
    decode: async ({ bytes, seed }) =>
      checkDraws(
        decoded(() => DrawBatch.decode(bytes)),
        6,
        seed === 0 ? EXPECTED : { ...EXPECTED, added: DRAW_ADDED },
      ),
  },
  {
    name: "checkpoint's manifest as a message",
    seeds: async () => [manifestMessage()],
    decode: async ({ bytes }) => {
      const { manifest } = decoded(() => GetCheckpointResponse.decode(bytes));
      return parseManifest(
        { digest: manifest?.digest, files: manifest?.files.map((file) => ({ ...file, size: Number(file.size) })) },
        "peer",
      );
    },
  },
  requests("the generator", [
    call(GeneratorServiceService.sampleTrajectories, (request) => checkSampling(request, FINGERPRINT)),
    call(GeneratorServiceService.renderImages, checkRender),
    call(GeneratorServiceService.getGenerator, (request) => request),
  ]),
  requests("the trainer", [
    call(TrainerServiceService.createRun, against(trainer.createRunRequest)),
    call(TrainerServiceService.startIteration, against(trainer.startIterationRequest)),
    call(TrainerServiceService.watchIteration, against(trainer.watchIterationRequest)),
    call(TrainerServiceService.cancelIteration, against(trainer.iterationRequest)),
    call(TrainerServiceService.getIteration, against(trainer.iterationRequest)),
    call(TrainerServiceService.getRun, against(trainer.runRequest)),
    call(TrainerServiceService.listRuns, against(trainer.listRunsRequest)),
    call(CheckpointServiceService.listCheckpoints, against(trainer.listCheckpointsRequest)),
    call(CheckpointServiceService.getCheckpoint, against(trainer.getCheckpointRequest)),
    call(CheckpointServiceService.readFile, against(trainer.readFileRequest)),
  ]),
  requests("the evaluator", [
    call(EvaluatorServiceService.startEvaluation, against(evaluator.startEvaluationRequest)),
    call(EvaluatorServiceService.watchEvaluation, against(evaluator.watchEvaluationRequest)),
    call(EvaluatorServiceService.cancelEvaluation, against(evaluator.evaluationRequest)),
    call(EvaluatorServiceService.getEvaluation, against(evaluator.evaluationRequest)),
    call(EvaluatorServiceService.listEvaluations, against(evaluator.listEvaluationsRequest)),
    call(EvaluatorServiceService.compare, against(evaluator.compareRequest)),
    call(EvaluatorServiceService.getTable, against(evaluator.getTableRequest)),
    call(EvaluatorServiceService.getReport, against(evaluator.getReportRequest)),
  ]),
];
