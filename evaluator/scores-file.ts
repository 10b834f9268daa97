import * as z from "zod";
import { SpinError } from "../core/errors.js";
import { parseConfig } from "../core/json-config.js";
import { type Distance, numPictures, type PictureScores } from "./picture-scores.js";

/** JSON has no NaN: a resample without a value is null. */
const replicate = z.union([z.number(), z.null().transform(() => Number.NaN)]);
const distance = z.object({ value: z.number(), replicates: z.array(replicate) });

function isObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

/** How pictures were scored, as it is kept. */
export const protocolSchema = z.object({
  scorers: z.array(z.object({ name: z.string(), digest: z.string() })),
  promptSetDigest: z.string(),
  numPrompts: z.int(),
  seeds: z.array(z.string()),
  sampler: z.string().refine(isObject, "expected an object in JSON"),
  batchSize: z.int(),
  computeFingerprint: z.string(),
  bootstrapSamples: z.int(),
  bootstrapSeed: z.string(),
});

const headSchema = z.object({
  label: z.string(),
  checkpointDigest: z.string(),
  protocol: protocolSchema,
  kid: distance.optional(),
  cmmd: distance.optional(),
});

const lineSchema = z.object({
  prompt: z.string(),
  scores: z.record(z.string(), z.number()),
  similarity: z.number().optional(),
});

/** What one checkpoint's scores are written as: figures of the whole, and a line a picture. */
export function formatScores(scores: PictureScores): { head: string; lines: string } {
  const { label, checkpointDigest, protocol, kid, cmmd } = scores;
  const plain = (distance: Distance | undefined) =>
    distance && { value: distance.value, replicates: Array.from(distance.replicates) };
  const head = { label, checkpointDigest, protocol, kid: plain(kid), cmmd: plain(cmmd) };
  const lines = Array.from({ length: numPictures(scores) }, (_, i) => {
    const similarity = scores.similarities?.[i];
    const values = Object.fromEntries([...scores.scores].map(([scorer, all]) => [scorer, all[i]]));
    return `${JSON.stringify({ prompt: scores.prompts[i % scores.prompts.length], scores: values, similarity })}\n`;
  });
  return { head: `${JSON.stringify(head)}\n`, lines: lines.join("") };
}

/** Reads what `formatScores` wrote. @throws SpinError `corrupt` or `invalid` naming the file. */
export function parseScores(head: string, lines: string, file: string): PictureScores {
  const rest = parseConfig(headSchema, parseJson(head, file), file);
  const pictures = lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => parseConfig(lineSchema, parseJson(line, `${file}l`), `${file}l`));
  const scores = rest.protocol.scorers.map(({ name }): [string, Float64Array] => [
    name,
    Float64Array.from(pictures, (picture) => picture.scores[name] ?? Number.NaN),
  ]);
  return {
    ...rest,
    prompts: pictures.slice(0, rest.protocol.numPrompts).map(({ prompt }) => prompt),
    scores: new Map(scores),
    ...(pictures.every(({ similarity }) => similarity !== undefined) && {
      similarities: Float64Array.from(pictures, ({ similarity }) => similarity!),
    }),
  };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SpinError("corrupt", `${file} is not JSON`, { file, cause, remedy: "evaluate again" });
  }
}
