import { saveFile } from "../../core/checkpoint/atomic-file.js";
import type { RpcChannel } from "../../core/service/client.js";
import type { EvaluationRow, FloorRow } from "../../evaluator/evaluation-row.js";
import { evaluationRows } from "../../evaluator/rows.js";
import { renderTable } from "../../evaluator/table.js";
import type { TimeEstimate, TrainingCurve } from "../../proto/gen/spin/v1/evaluation.js";
import {
  type Evaluation,
  EvaluatorServiceService,
  GetReportRequest,
} from "../../proto/gen/spin/v1/evaluator_service.js";
import { Progress } from "../progress.js";
import { withService } from "../remote/connect.js";
import { untilInterrupted } from "../remote/interrupt.js";
import { requireSuccess } from "../remote/jobs.js";
import { Patience } from "../remote/patience.js";
import { fetchReport } from "../report/write-report.js";
import { toEvaluationSpec } from "./evaluation-spec.js";
import { fetchTable, writeTable } from "./picture-table.js";
import type { EvaluateSettings } from "./settings.js";

export interface EvaluationPlan {
  /** Address of the evaluator. */
  readonly evaluator: string;
  /** What the evaluation is known by; the same name finds it again. */
  readonly name: string;
  readonly settings: EvaluateSettings;
  /** How long an evaluator that is gone is waited for, in seconds. */
  readonly patience: number;
  /** Drawn in the report. */
  readonly curves?: readonly TrainingCurve[];
  /** Told in the report. */
  readonly estimate?: TimeEstimate;
  /** File for the HTML report. */
  readonly report?: string;
  /** File for the scores of single pictures, `.parquet` or `.jsonl`. */
  readonly table?: string;
}

/** What an evaluation found, as it is printed under --json. */
export interface EvaluationOutcome {
  readonly evaluation_id: string;
  /** The baseline first. */
  readonly checkpoints: readonly EvaluationRow[];
  /** What held-out real images reach. */
  readonly real?: FloorRow;
  readonly fingerprint: string;
  /** Where the report was written. */
  readonly report?: string;
  /** Where the scores of single pictures were written. */
  readonly table?: string;
}

/** Evaluates checkpoints, with progress on standard error, and fetches the report where one is wanted. */
export async function evaluateAndReport(plan: EvaluationPlan): Promise<EvaluationOutcome> {
  const { evaluator, name, settings, patience, curves = [], estimate, report, table } = plan;
  return withService(evaluator, async (service) => {
    const evaluation = await untilInterrupted(`the evaluation ${name}`, (signal) =>
      evaluate(service, name, settings, { patience, signal }),
    );
    const { evaluationId, computeFingerprint: fingerprint } = evaluation;
    if (report !== undefined) {
      const request = GetReportRequest.fromPartial({ evaluationId, curves: [...curves], estimate });
      await saveFile(report, await fetchReport(service, request));
    }
    if (table !== undefined) await writeTable(await fetchTable(service, evaluationId), table);
    const { rows, floor } = evaluationRows(evaluation);
    return { evaluation_id: evaluationId, checkpoints: rows, real: floor, fingerprint, report, table };
  });
}

/** The same for people. */
export function formatOutcome({ checkpoints, real, report, table }: EvaluationOutcome): string {
  const files = Object.entries({ report, table }).flatMap(([what, file]) =>
    file === undefined ? [] : `${what}: ${file}\n`,
  );
  return `${renderTable(checkpoints, real, checkpoints[0]!.name)}\n${files.join("")}`;
}

/** Starts the evaluation, or finds it, and follows it to its end, however often the evaluator is restarted. */
async function evaluate(
  evaluator: RpcChannel,
  name: string,
  settings: EvaluateSettings,
  { patience: seconds, signal }: { readonly patience: number; readonly signal: AbortSignal },
): Promise<Evaluation> {
  const { startEvaluation, watchEvaluation } = EvaluatorServiceService;
  const request = { requestId: name, spec: toEvaluationSpec(settings), resume: true };
  const patience = new Patience(evaluator, {
    seconds,
    signal,
    onLine: (line) => process.stderr.write(`${line}\n`),
  });
  let last = (await patience.around(() => evaluator.call(startEvaluation, request, { signal }))).evaluation!;
  const watch = { evaluationId: last.evaluationId, afterSequence: 0 }; // A new process numbers its events anew.
  const progress = new Progress("evaluating");
  const follow = async () => {
    for await (const { event } of evaluator.stream(watchEvaluation, watch, { signal })) {
      patience.answered();
      if (event?.$case === "progress") {
        progress.update(event.value.allImagesDone, event.value.allImagesTotal);
      } else if (event?.$case === "stateChange") {
        // One that had failed and was taken up again tells that too: the stream ends with the last of its ends.
        last = event.value;
      }
    }
  };
  try {
    await patience.around(follow);
  } finally {
    progress.end();
  }
  requireSuccess(last, "the evaluation");
  return last;
}
