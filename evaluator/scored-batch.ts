import * as z from "zod";

/** What a batch of pictures scored, as it is kept the moment that it is known. */
export interface ScoredBatch {
  /** Position of its first picture. */
  readonly first: number;
  readonly count: number;
  /** By scorer. [count] each */
  readonly scores: Readonly<Record<string, readonly number[]>>;
  /** Of the first scorer that has embeddings; absent where none has. [count] and [count, width] */
  readonly similarities?: readonly number[];
  readonly embeddings?: Float32Array;
  /** What the pictures were rendered with; empty for real ones. */
  readonly checkpointDigest: string;
  readonly computeFingerprint: string;
}

const batchSchema = z.object({
  first: z.int().min(0),
  count: z.int().min(1),
  scores: z.record(z.string(), z.array(z.number())),
  similarities: z.array(z.number()).optional(),
  /** Little-endian float32 in base64. */
  embeddings: z
    .base64()
    .transform((text) => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer))
    .optional(),
  checkpointDigest: z.string(),
  computeFingerprint: z.string(),
});

/** A batch as one line of JSON. */
export function formatBatch({ embeddings, ...rest }: ScoredBatch): string {
  const bytes = embeddings && Buffer.from(embeddings.buffer, embeddings.byteOffset, embeddings.byteLength);
  return `${JSON.stringify({ ...rest, embeddings: bytes?.toString("base64") })}\n`;
}

/** Reads what `formatBatch` wrote. @throws for anything else */
export function parseBatch(line: string): ScoredBatch {
  return batchSchema.parse(JSON.parse(line));
}
