import { saveFile } from "../../core/checkpoint/atomic-file.js";
import type { RpcChannel } from "../../core/service/client.js";
import { readSpans } from "../../core/service/read-spans.js";
import { EvaluatorServiceService, GetReportRequest } from "../../proto/gen/spin/v1/evaluator_service.js";
import { withService } from "../remote/connect.js";
import { trainingHistory } from "./history.js";
import { timelineOf } from "./timeline.js";

/** What goes into a report. */
export interface ReportPlan {
  readonly evaluator: string;
  /** Name or identifier of a finished evaluation. */
  readonly evaluation: string;
  /** Address of the trainer that made the checkpoints. */
  readonly trainer?: string;
  /** Traces of its services. */
  readonly trace?: readonly string[];
  /** Label that table 4 is over. */
  readonly reference?: string;
  readonly out: string;
}

/** Gathers what a report shows, has it rendered, and writes it. */
export async function writeReport(plan: ReportPlan): Promise<{ readonly report: string; readonly bytes: number }> {
  const { trainer, trace } = plan;
  const spans = trace && (await Promise.all(trace.map(readSpans))).flat();
  const page = await withService(plan.evaluator, async (evaluator) => {
    const asked = { evaluationId: plan.evaluation };
    const evaluation = (await evaluator.call(EvaluatorServiceService.getEvaluation, asked)).evaluation!;
    const history =
      trainer === undefined ? undefined : await withService(trainer, (service) => trainingHistory(service, evaluation));
    const request = GetReportRequest.create({ ...asked, ...(plan.reference && { referenceLabel: plan.reference }) });
    return fetchReport(evaluator, {
      ...request,
      ...copied(history),
      timeline: spans && timelineOf(spans, history?.labels),
    });
  });
  await saveFile(plan.out, page);
  return { report: plan.out, bytes: page.length };
}

function copied(history: Awaited<ReturnType<typeof trainingHistory>> | undefined) {
  return { lineage: [...(history?.lineage ?? [])], curves: [...(history?.curves ?? [])] };
}

/** A report, put together from its pieces. */
export async function fetchReport(evaluator: RpcChannel, request: GetReportRequest): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { data } of evaluator.stream(EvaluatorServiceService.getReport, request)) parts.push(data);
  return Buffer.concat(parts);
}
