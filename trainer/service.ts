import { type BoundService, defineService } from "../core/service/handlers.js";
import { checkRequest } from "../core/service/validation.js";
import { TrainerServiceService } from "../proto/gen/spin/v1/trainer_service.js";
import type { Iterations } from "./iterations.js";
import { pageOf } from "./paging.js";
import {
  createRunRequest,
  iterationRequest,
  listRunsRequest,
  runRequest,
  startIterationRequest,
  watchIterationRequest,
} from "./requests.js";
import type { Runs } from "./runs.js";

/** The trainer's calls. */
export function trainerService(runs: Runs, iterations: Iterations): BoundService {
  return defineService(TrainerServiceService, {
    createRun: async (request) => ({ run: await runs.create(checkRequest(createRunRequest, request)) }),

    startIteration: async (request) => ({
      iteration: await iterations.start(checkRequest(startIterationRequest, request)),
    }),

    watchIteration: async function* (request, { signal }) {
      const { iterationId, afterSequence } = checkRequest(watchIterationRequest, request);
      yield* iterations.watch(iterationId, afterSequence, signal);
    },

    cancelIteration: async (request) => ({
      iteration: iterations.cancel(checkRequest(iterationRequest, request).iterationId),
    }),

    getIteration: async (request) => ({
      iteration: iterations.get(checkRequest(iterationRequest, request).iterationId),
    }),

    getRun: async (request) => {
      const { runId } = checkRequest(runRequest, request);
      return { run: runs.get(runId), iterations: runs.iterations(runId) };
    },

    listRuns: async (request) => {
      const { pageSize, pageToken } = checkRequest(listRunsRequest, request);
      const { page, next } = pageOf(runs.list(), pageSize, pageToken);
      return { runs: page, nextPageToken: next };
    },
  });
}
