import { SpinError } from "../core/errors.js";
import { type BoundService, defineService } from "../core/service/handlers.js";
import { CHUNK_BYTES } from "../core/service/limits.js";
import { checkRequest } from "../core/service/validation.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { type Evaluation, EvaluatorServiceService } from "../proto/gen/spin/v1/evaluator_service.js";
import { buildReport } from "./build-report.js";
import { Comparer } from "./comparer.js";
import { fileName } from "./evaluation-pictures.js";
import type { EvaluationStore } from "./evaluation-store.js";
import type { Evaluations } from "./evaluations.js";
import type { PictureScores } from "./picture-scores.js";
import { renderReport } from "./report/page.js";
import {
  compareRequest,
  evaluationRequest,
  getReportRequest,
  getTableRequest,
  listEvaluationsRequest,
  startEvaluationRequest,
  watchEvaluationRequest,
} from "./requests.js";
import { tableOf } from "./score-rows.js";

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

  /** A checkpoint's scores. @throws SpinError `notFound` naming the field where the evaluation has no such label */
  const scoresOf = (id: string, label: string, field: string): Promise<PictureScores> => {
    const { evaluationId, spec } = finished(id);
    const labels = spec!.checkpoints.map((one) => one.label);
    if (labels.includes(label)) return store.readScores(evaluationId, fileName(spec!, label));
    throw new SpinError("notFound", `the evaluation has no checkpoint "${label}"`, {
      field,
      remedy: `name one of ${labels.join(", ")}`,
    });
  };
  const comparer = new Comparer();

  return defineService(EvaluatorServiceService, {
    startEvaluation: async (request) => {
      const { requestId, spec, resume } = checkRequest(startEvaluationRequest, request);
      return { evaluation: await evaluations.start(requestId, request.spec!, spec, resume) };
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
      const { evaluationId, labelA, labelB, evaluationIdB } = checkRequest(compareRequest, request);
      const sides = await Promise.all([
        scoresOf(evaluationId, labelA, "label_a"),
        scoresOf(evaluationIdB ?? evaluationId, labelB, "label_b"),
      ]);
      return { comparison: await comparer.compare(...sides) };
    },

    getTable: async function* (request) {
      const { evaluationId, labels } = checkRequest(getTableRequest, request);
      yield* tableOf(store, finished(evaluationId), labels);
    },

    getReport: async function* (request) {
      const checked = checkRequest(getReportRequest, request);
      const report = await buildReport(store, finished(checked.evaluationId), checked);
      const page = Buffer.from(renderReport(report));
      for (let start = 0; start < page.length; start += CHUNK_BYTES) {
        yield { data: page.subarray(start, start + CHUNK_BYTES) };
      }
    },
  });
}
