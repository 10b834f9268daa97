import { type BoundService, defineService } from "../core/service/handlers.js";
import { checkRequest } from "../core/service/validation.js";
import { TrainerServiceService } from "../proto/gen/spin/v1/trainer_service.js";
import type { Iterations } from "./iterations.js";
import { pageOf } from "./paging.js";
import { createRunRequest, listRunsRequest, startIterationRequest } from "./requests.js";
import type { Runs } from "./runs.js";

/** The trainer's calls. */
export function trainerService(runs: Runs, iterations: Iterations): BoundService {
  return defineService(TrainerServiceService, {
    createRun: async (request) => ({ run: await runs.create(checkRequest(createRunRequest, request)) }),

    startIteration: async (request) => ({
      iteration: await iterations.start(checkRequest(startIterationRequest, request)),
    }),

    watchIteration: ({ iterationId, afterSequence }, { signal }) =>
      iterations.watch(iterationId, afterSequence, signal),

    cancelIteration: async ({ iterationId }) => ({ iteration: iterations.cancel(iterationId) }),

    getIteration: async ({ iterationId }) => ({ iteration: iterations.get(iterationId) }),

    getRun: async ({ runId }) => ({ run: runs.get(runId), iterations: runs.iterations(runId) }),

    listRuns: async (request) => {
      const { pageSize, pageToken } = checkRequest(listRunsRequest, request);
      const { page, next } = pageOf(runs.list(), pageSize, pageToken);
      return { runs: page, nextPageToken: next };
    },
  });
}
