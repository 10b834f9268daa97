import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createManifest, hashFile, MANIFEST_FILE, readManifest } from "../../core/checkpoint/manifest.js";
import { readTrainingState, saveTrainingState } from "../../core/checkpoint/training-state.js";
import { readJsonFile } from "../../core/json-config.js";
import { createLogger } from "../../core/service/logging.js";
import { EvaluationStore } from "../../evaluator/evaluation-store.js";
import { PartialScores } from "../../evaluator/partial-scores.js";
import type { PictureScores, Protocol } from "../../evaluator/picture-scores.js";
import { formatBatch } from "../../evaluator/scored-batch.js";
import { formatScores, parseScores } from "../../evaluator/scores-file.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { WatchEvaluationResponse } from "../../proto/gen/spin/v1/evaluator_service.js";
import { Iteration, Run, WatchIterationResponse } from "../../proto/gen/spin/v1/trainer_service.js";
import { EventLog } from "../../trainer/jobs/event-log.js";
import { iterationToJson, runToJson } from "../../trainer/jobs/records.js";
import { RunStore } from "../../trainer/jobs/run-store.js";
import { parseLineage } from "../../trainer/lineage.js";
import { type Decoder, type FuzzInput, texts, written } from "./decoder.js";

const STATE_FILES = ["state.json", "state.safetensors", MANIFEST_FILE] as const;
const STATE = {
  facts: { step: 3, baseDigest: "sha256:1", samplingSpecDigest: "sha256:2", scalars: { steps: 3, lossScale: 65536 } },
  tensors: new Map([
    ["weights", new Float32Array(12).fill(0.5)],
    ["moments", new Float32Array(12).fill(0.25)],
  ]),
};

const stateFiles = () =>
  written(async (path) => {
    await saveTrainingState(path(""), STATE);
    return STATE_FILES.map((name) => join("step-0000003", name));
  });

/** A training state of which one file is damaged; the manifest is made anew where it is another: SHA-256 alone would refuse all of them. */
function stateWith(damaged: (typeof STATE_FILES)[number]): Decoder {
  let whole: Uint8Array[];
  return {
    name: `training state's ${damaged}`,
    seeds: async () => {
      whole = await stateFiles();
      return [whole[STATE_FILES.indexOf(damaged)]!];
    },
    decode: async ({ folder, file }) => {
      for (const [i, name] of STATE_FILES.entries()) {
        if (name !== damaged) await writeFile(join(folder, name), whole[i]!);
      }
      await file(damaged);
      if (damaged !== MANIFEST_FILE) {
        const files = [await hashFile(folder, STATE_FILES[0]), await hashFile(folder, STATE_FILES[1])];
        await writeFile(join(folder, MANIFEST_FILE), JSON.stringify(createManifest(files)));
      }
      const tensors = new Map([...STATE.tensors].map(([name, { length }]) => [name, new Float32Array(length)]));
      return readTrainingState(folder, tensors);
    },
  };
}

const time = { seconds: 1_700_000_000n, nanos: 5 };
const EVENTS = [
  { stateChange: { iterationId: "run-1-iteration-1", state: "JOB_STATE_RUNNING" } },
  { step: { step: 1, loss: 0.69, margin: 0.1, gradNorm: 2 } },
  { checkpoint: { digest: "sha256:1", size: "4096", step: 1 } },
].map((event, i) => ({ sequence: i + 1, time: "2026-01-01T00:00:00Z", ...event }));
const journal = (toLine: (event: object) => unknown) =>
  EVENTS.map((event) => `${JSON.stringify(toLine(event))}\n`).join("");

const origin = { requestId: "a", contentDigest: "sha256:1" };
const RUN = JSON.stringify(
  runToJson({ origin, run: Run.fromPartial({ runId: "run-1", seed: 7n, createTime: time, displayName: "one" }) }),
);
const ITERATION = JSON.stringify(
  iterationToJson({
    origin,
    traceparent: "",
    configuration: { threads: "1" } as never,
    iteration: Iteration.fromPartial({
      iterationId: "run-1-iteration-1",
      runId: "run-1",
      state: JobState.JOB_STATE_RUNNING,
      startTime: time,
    }),
  }),
);

const PROTOCOL: Protocol = {
  scorers: [{ name: "a", digest: "sha256:1" }],
  promptSetDigest: "sha256:2",
  numPrompts: 2,
  seeds: ["1"],
  sampler: "{}",
  batchSize: 2,
  computeFingerprint: "sha256:3",
  bootstrapSamples: 10,
  bootstrapSeed: "1",
};
const SCORES: PictureScores = {
  label: "base",
  checkpointDigest: "sha256:4",
  protocol: PROTOCOL,
  prompts: ["a", "b"],
  scores: new Map([["a", Float64Array.of(0.5, 0.75)]]),
};
const BATCH = {
  first: 0,
  count: 2,
  scores: { a: [0.5, 0.75] },
  embeddings: Float32Array.of(1, 2, 3, 4),
  checkpointDigest: "sha256:4",
  computeFingerprint: "sha256:3",
};

const quiet = createLogger("fuzz", "silent");
const store = ({ folder }: FuzzInput) => new EvaluationStore(folder);

async function readAll<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/** What services have written themselves and read again after a restart. */
export const STATE_DECODERS: readonly Decoder[] = [
  ...STATE_FILES.map(stateWith),
  {
    name: "checkpoint's manifest",
    seeds: texts(JSON.stringify(createManifest([{ path: "unet/config.json", size: 2, sha256: "ab".repeat(32) }]))),
    decode: async ({ file, folder }) => {
      await file(MANIFEST_FILE);
      return readManifest(folder);
    },
  },
  {
    name: "checkpoint's lineage",
    seeds: texts(
      '{"checkpoint": {"runId": "run-1", "iterationId": "i", "step": 3, "createTime": "2026-01-01T00:00:00Z"}}',
    ),
    decode: async ({ file }) => {
      const path = await file();
      return parseLineage(await readJsonFile(path), path);
    },
  },
  {
    name: "run's record",
    seeds: texts(RUN),
    decode: async ({ file, folder }) => {
      await file("runs/run-1/run.json");
      return RunStore.open(join(folder, "runs"));
    },
  },
  {
    name: "iteration's record",
    seeds: texts(ITERATION),
    decode: async ({ file, folder }) => {
      await file("runs/run-1/iterations/run-1-iteration-1/iteration.json");
      await writeFile(join(folder, "runs/run-1/run.json"), RUN);
      return RunStore.open(join(folder, "runs"));
    },
  },
  {
    name: "iteration's events",
    seeds: texts(journal((event) => WatchIterationResponse.toJSON(WatchIterationResponse.fromJSON(event)))),
    decode: async ({ file }) => {
      const log = await EventLog.openEnded(await file());
      return readAll(log.read(0, new AbortController().signal));
    },
  },
  {
    name: "evaluation's events",
    seeds: texts(
      [1, 2]
        .map(
          (n) =>
            `${JSON.stringify(WatchEvaluationResponse.toJSON(WatchEvaluationResponse.fromPartial({ sequence: n, time })))}\n`,
        )
        .join(""),
    ),
    decode: async (input) => {
      await input.file("e/events.jsonl");
      return store(input).readEvents("e");
    },
  },
  {
    name: "evaluation's record",
    seeds: texts(
      JSON.stringify({ requestDigest: "sha256:1", evaluation: { evaluationId: "e", state: "JOB_STATE_RUNNING" } }),
    ),
    decode: async (input) => {
      await input.file("records/e/evaluation.json");
      return new EvaluationStore(join(input.folder, "records")).load(quiet);
    },
  },
  {
    name: "evaluation's scores",
    seeds: texts(formatScores(SCORES).head, formatScores(SCORES).lines),
    decode: async ({ bytes, seed }) => {
      const { head, lines } = formatScores(SCORES);
      const text = new TextDecoder().decode(bytes);
      return parseScores(seed === 0 ? text : head, seed === 1 ? text : lines, "scores.json");
    },
  },
  {
    name: "evaluation's batches",
    seeds: texts(`${JSON.stringify({ label: "base", protocol: PROTOCOL })}\n${formatBatch(BATCH)}`),
    decode: async ({ file }) => {
      const partial = await PartialScores.open(await file(), "base", PROTOCOL);
      await partial.close();
      return partial.batches;
    },
  },
];
