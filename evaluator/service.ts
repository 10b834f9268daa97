import { SpinError } from "../core/errors.js";
import { type BoundService, defineService } from "../core/service/handlers.js";
import { CHUNK_BYTES } from "../core/service/limits.js";
import { checkRequest } from "../core/service/validation.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { type Evaluation, EvaluatorServiceService } from "../proto/gen/spin/v1/evaluator_service.js";
import { buildReport } from "./build-report.js";
import type { EvaluationStore } from "./evaluation-store.js";
import type { Evaluations } from "./evaluations.js";
import { drawResamples } from "./metrics/bootstrap.js";
import { promptOfPictures } from "./picture-scores.js";
import { renderReport } from "./report/page.js";
import {
  compareRequest,
  evaluationRequest,
  getReportRequest,
  listEvaluationsRequest,
  startEvaluationRequest,
  watchEvaluationRequest,
} from "./requests.js";
import { fileName } from "./run-evaluation.js";
import { compareCheckpoints } from "./statistics.js";

/** The contract's calls on the evaluations of this process. */
export function evaluatorService(evaluations: Evaluations, store: EvaluationStore): BoundService {
  /** @throws SpinError `precondition` for an evaluation that has no results (yet). */
  const finished = (id: string): Evaluation => {
    const evaluation = evaluations.get(id);
    if (evaluation.state === JobState.JOB_STATE_SUCCEEDED) return evaluation;
    throw new SpinError("precondition", `the evaluation "${id}" is ${JobState[evaluation.state]}`, {
      field: "evaluation_id",
      remedy: "watch it until it has succeeded",
    });
  };

  return defineService(EvaluatorServiceService, {
    startEvaluation: async (request) => {
      const { requestId, spec } = checkRequest(startEvaluationRequest, request);
      return { evaluation: await evaluations.start(requestId, request.spec!, spec) };
    },

    watchEvaluation: async function* (request, { signal }) {
      const { evaluationId, afterSequence } = checkRequest(watchEvaluationRequest, request);
      yield* evaluations.watch(evaluationId, afterSequence, signal);
    },

    cancelEvaluation: async (request) => ({
      evaluation: await evaluations.cancel(checkRequest(evaluationRequest, request).evaluationId),
    }),

    getEvaluation: async (request) => ({
      evaluation: evaluations.get(checkRequest(evaluationRequest, request).evaluationId),
    }),

    listEvaluations: async (request) => {
      const { pageSize, pageToken } = checkRequest(listEvaluationsRequest, request);
      const all = evaluations.list();
      const start = pageToken === "" ? 0 : all.findIndex(({ evaluationId }) => evaluationId === pageToken);
      if (start < 0)
        throw new SpinError("invalid", "the page token is not one of this service", { field: "page_token" });
      const page = all.slice(start, start + pageSize);
      const nextPageToken = all[start + pageSize]?.evaluationId ?? "";
      return { evaluations: page.map((one) => ({ ...one, results: [], real: undefined })), nextPageToken };
    },

    compare: async (request) => {
      const { evaluationId, labelA, labelB } = checkRequest(compareRequest, request);
      const evaluation = finished(evaluationId);
      const { spec, numPrompts } = evaluation;
      const [a, b] = await Promise.all(
        Object.entries({ label_a: labelA, label_b: labelB }).map(([field, label]) => {
          if (spec!.checkpoints.some((one) => one.label === label)) {
            return store.readScores(evaluationId, fileName(spec!, label));
          }
          throw new SpinError("notFound", `the evaluation has no checkpoint "${label}"`, {
            field,
            remedy: `name one of ${spec!.checkpoints.map((one) => one.label).join(", ")}`,
          });
        }),
      );
      const resamples = await drawResamples(numPrompts, spec!.bootstrapSamples, spec!.bootstrapSeed);
      const prompts = promptOfPictures(numPrompts, spec!.seeds.length);
      return { comparison: compareCheckpoints(a!, b!, { resamples, prompts }).comparison };
    },

    getReport: async function* (request) {
      const { evaluationId, curves } = checkRequest(getReportRequest, request);
      const page = Buffer.from(renderReport(await buildReport(store, finished(evaluationId), curves)));
      for (let start = 0; start < page.length; start += CHUNK_BYTES) {
        yield { data: page.subarray(start, start + CHUNK_BYTES) };
      }
    },
  });
}
