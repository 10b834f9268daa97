import type { Logger } from "../core/service/logging.js";
import type { StepMetrics } from "../proto/gen/spin/v1/training.js";
import type { IterationReports } from "./iteration-loop.js";
import type { EventLog } from "./jobs/event-log.js";
import type { IterationKeeper } from "./jobs/iteration-keeper.js";
import type { Told } from "./jobs/progress.js";
import { type IterationRecord, noteForced } from "./jobs/records.js";

/** Writes down and tells how an iteration goes. What was told before an interruption is not told again. */
export function reportsTo(
  record: IterationRecord,
  events: EventLog,
  told: Told,
  keeper: IterationKeeper,
  log: Logger,
): IterationReports {
  return {
    pinned: (samplingSpecDigest, computeFingerprint) => {
      const before = record.iteration.computeFingerprint;
      if (before !== "" && before !== computeFingerprint) {
        noteForced(record, [`compute_fingerprint: ${before}, now ${computeFingerprint}`], told.steps.length);
      }
      return keeper.keep(record, { samplingSpecDigest, computeFingerprint });
    },
    step: async (value) => {
      // Not written with every step: the event is there, and a state change brings the file up to date.
      record.iteration = { ...record.iteration, stepsDone: value.step };
      const before = told.steps[value.step - 1];
      if (before === undefined) await events.append({ $case: "step", value });
      else compare(value, before, log);
    },
    checkpoint: async (value) => {
      await keeper.keep(record, {});
      if (told.checkpoints.get(value.step)?.digest === value.digest) return;
      await events.append({ $case: "checkpoint", value });
    },
  };
}

/** A step that was done before an interruption, done again: on a CPU to the same bits. */
function compare(now: StepMetrics, before: StepMetrics, log: Logger): void {
  if (now.loss === before.loss && now.gradNorm === before.gradNorm) return;
  log.warn({ step: now.step, loss: [before.loss, now.loss] }, "a step done again came out differently");
}
