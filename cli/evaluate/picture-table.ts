import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { toIoError } from "../../core/checkpoint/io-errors.js";
import { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";
import { MeasurementProtocol, type PictureRow } from "../../proto/gen/spin/v1/evaluation.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";

/** Where the scores of single pictures are written: parquet, or JSON lines. */
export const TABLE_FORMATS = [".parquet", ".jsonl"] as const;

/** An evaluation's scores picture by picture. */
export interface PictureTable {
  readonly rows: readonly PictureRow[];
  readonly protocol: MeasurementProtocol;
}

/** Fetches the table of a finished evaluation. */
export async function fetchTable(evaluator: RpcChannel, evaluationId: string): Promise<PictureTable> {
  const rows: PictureRow[] = [];
  let protocol = MeasurementProtocol.create();
  const request = { evaluationId, labels: [] };
  for await (const piece of evaluator.stream(EvaluatorServiceService.getTable, request)) {
    rows.push(...piece.rows);
    protocol = piece.protocol ?? protocol;
  }
  return { rows, protocol };
}

/**
 * Writes a table to a file: `.parquet` with the protocol in the file's metadata under `spin.protocol`, or `.jsonl` with
 * the protocol beside it as `<name>.protocol.json`. A row is one picture: label, checkpoint_digest, prompt_index, prompt,
 * seed, a column for each scorer, similarity where there is one.
 * @throws SpinError `invalid` for another kind of file
 */
export async function writeTable(table: PictureTable, file: string): Promise<void> {
  const protocol = `${JSON.stringify(MeasurementProtocol.toJSON(table.protocol))}\n`;
  switch (extname(file)) {
    case ".parquet": {
      const content = parquetOf(table, protocol.trimEnd());
      return writing(file, () => writeFile(file, content));
    }
    case ".jsonl":
      await saveFile(file, linesOf(table));
      return saveFile(file.replace(/\.jsonl$/, ".protocol.json"), protocol);
    default:
      throw new SpinError("invalid", `${file} is no kind of table that is known`, {
        file,
        remedy: `name a file that ends with ${TABLE_FORMATS.join(" or ")}`,
      });
  }
}

function linesOf({ rows, protocol }: PictureTable): string {
  const names = protocol.scorers.map(({ name }) => name);
  const line = (row: PictureRow) => ({
    label: row.label,
    checkpoint_digest: row.checkpointDigest,
    prompt_index: row.promptIndex,
    prompt: row.prompt,
    // As text: JSON's numbers end at 2^53, seeds do not.
    seed: String(row.seed),
    scores: Object.fromEntries(names.map((name, i) => [name, row.scores[i]])),
    similarity: row.similarity,
  });
  return rows.map((row) => `${JSON.stringify(line(row))}\n`).join("");
}

function parquetOf({ rows, protocol }: PictureTable, metadata: string): Uint8Array {
  const hasSimilarity = rows.some(({ similarity }) => similarity !== undefined);
  const buffer = parquetWriteBuffer({
    columnData: [
      { name: "label", data: rows.map(({ label }) => label), type: "STRING" },
      { name: "checkpoint_digest", data: rows.map(({ checkpointDigest }) => checkpointDigest), type: "STRING" },
      { name: "prompt_index", data: rows.map(({ promptIndex }) => promptIndex), type: "INT32" },
      { name: "prompt", data: rows.map(({ prompt }) => prompt), type: "STRING" },
      { name: "seed", data: rows.map(({ seed }) => BigInt.asIntN(64, seed)), type: "INT64" },
      ...protocol.scorers.map(({ name }, i) => ({
        name: `score_${name}`,
        data: rows.map(({ scores }) => scores[i]!),
        type: "DOUBLE" as const,
      })),
      ...(hasSimilarity
        ? [
            {
              name: "similarity",
              data: rows.map(({ similarity }) => similarity ?? null),
              type: "DOUBLE" as const,
              nullable: true,
            },
          ]
        : []),
    ],
    kvMetadata: [{ key: "spin.protocol", value: metadata }],
  });
  return new Uint8Array(buffer);
}

async function writing(file: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw toIoError(error, file, "write");
  }
}
