import { SpinError } from "../core/errors.js";
import type { PictureRow } from "../proto/gen/spin/v1/evaluation.js";
import type { Evaluation, GetTableResponse } from "../proto/gen/spin/v1/evaluator_service.js";
import { fileName, pictureSeed } from "./evaluation-pictures.js";
import type { EvaluationStore } from "./evaluation-store.js";
import { numPictures, type PictureScores } from "./picture-scores.js";
import { protocolMessage } from "./protocol-message.js";
import { REAL_LABEL } from "./requests.js";

/** Rows in one message. */
const ROWS = 1000;

/**
 * The scores of an evaluation picture by picture, in pieces.
 *
 * @param labels whose; empty: every checkpoint's, then the real pictures' where there are any.
 * @throws SpinError `notFound` for a label that the evaluation does not have
 */
export async function* tableOf(
  store: EvaluationStore,
  { evaluationId, spec, real, results }: Evaluation,
  labels: readonly string[],
): AsyncGenerator<GetTableResponse> {
  const known = [...results.map(({ label }) => label), ...(real === undefined ? [] : [REAL_LABEL])];
  const unknown = labels.find((label) => !known.includes(label));
  if (unknown !== undefined) {
    throw new SpinError("notFound", `the evaluation has no pictures of "${unknown}"`, {
      field: "labels",
      remedy: `name some of ${known.join(", ")}`,
    });
  }
  let isFirst = true;
  for (const label of labels.length === 0 ? known : labels) {
    const scores = await store.readScores(evaluationId, fileName(spec!, label));
    const rows = rowsOf(scores);
    for (let start = 0; start < rows.length; start += ROWS) {
      // A checkpoint's own protocol: that of real pictures knows no fingerprint.
      const protocol = isFirst ? protocolMessage(scores.protocol) : undefined;
      yield { rows: rows.slice(start, start + ROWS), protocol };
      isFirst = false;
    }
  }
}

/** One row a picture. */
export function rowsOf(scores: PictureScores): PictureRow[] {
  const { label, checkpointDigest, prompts, protocol, similarities } = scores;
  const columns = [...scores.scores.values()];
  return Array.from({ length: numPictures(scores) }, (_, i) => {
    const promptIndex = i % prompts.length;
    const seed = BigInt(protocol.seeds[Math.floor(i / prompts.length)]!);
    return {
      label,
      checkpointDigest,
      promptIndex,
      prompt: prompts[promptIndex]!,
      seed: label === REAL_LABEL ? 0n : pictureSeed(seed, promptIndex),
      scores: columns.map((column) => column[i]!),
      similarity: similarities?.[i],
    };
  });
}
