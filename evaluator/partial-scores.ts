import * as z from "zod";
import { SpinError } from "../core/errors.js";
import { AppendLog, cutTo, readLines } from "./append-log.js";
import { type Protocol, protocolDifferences } from "./picture-scores.js";
import { formatBatch, parseBatch, type ScoredBatch } from "./scored-batch.js";
import { protocolSchema } from "./scores-file.js";

/** First line of the file: what the batches below it were scored with. */
const headSchema = z.object({ label: z.string(), protocol: protocolSchema });
type Head = z.infer<typeof headSchema>;

/**
 * The batches of one checkpoint that are scored so far, on the disk: an evaluation that was interrupted, however hard,
 * goes on behind the last of them.
 */
export class PartialScores {
  /** Those that were there when it was opened, in order and without gaps. */
  readonly batches: readonly ScoredBatch[];
  readonly #log: AppendLog;

  private constructor(batches: readonly ScoredBatch[], log: AppendLog) {
    this.batches = batches;
    this.#log = log;
  }

  /**
   * Opens or creates the file.
   * @throws SpinError `precondition` where its batches were scored in another way, as with a scorer that was replaced.
   */
  static async open(file: string, label: string, protocol: Protocol): Promise<PartialScores> {
    const { values, bytes } = await readLines(file, (line, index): Head | ScoredBatch =>
      index === 0 ? headSchema.parse(JSON.parse(line)) : parseBatch(line),
    );
    await cutTo(file, bytes);
    const [head, ...batches] = values as [Head | undefined, ...ScoredBatch[]];
    if (head !== undefined) requireSame(head.protocol, protocol, label, file);
    const log = await AppendLog.open(file);
    if (head === undefined) await log.append(`${JSON.stringify({ label, protocol })}\n`);
    return new PartialScores(batches, log);
  }

  /** Keeps a batch; it is on the disk when this returns. */
  async append(batch: ScoredBatch): Promise<void> {
    await this.#log.append(formatBatch(batch));
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

function requireSame(before: Protocol, now: Protocol, label: string, file: string): void {
  const [changed] = protocolDifferences(before, now);
  if (changed === undefined) return;
  const { key, a, b } = changed;
  throw new SpinError("precondition", `the pictures of ${label} were begun with ${key} ${a}, and it is ${b} now`, {
    file,
    remedy: "restore what was changed, or evaluate again under another request_id",
  });
}
