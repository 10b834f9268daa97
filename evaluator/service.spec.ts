import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeImage, type RgbImage } from "../core/data/image.js";
import { openDataset } from "../core/data/open-dataset.js";
import type { SpinError } from "../core/errors.js";
import { RpcChannel } from "../core/service/client.js";
import { readConfig } from "../core/service/config.js";
import { sleep } from "../core/service/deadline.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { type CheckpointResult, EvaluationSpec, type PictureRow } from "../proto/gen/spin/v1/evaluation.js";
import {
  type Evaluation,
  EvaluatorServiceService,
  GetReportRequest,
  type WatchEvaluationResponse,
} from "../proto/gen/spin/v1/evaluator_service.js";
import type { RenderImagesRequest } from "../proto/gen/spin/v1/generator_service.js";
import { StepMetrics } from "../proto/gen/spin/v1/training.js";
import { startGeneratorServer } from "../test/support/generator-server.js";
import { loadScorer } from "../test/support/load-scorer.js";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { writeTinyScorer } from "../test/support/tiny-scorer.js";
import { EVALUATOR_SETTINGS } from "./config.js";
import { mean } from "./metrics/summary.js";
import { evaluationRows } from "./rows.js";
import { type RunningEvaluator, startEvaluator } from "./start.js";
import { renderTable } from "./table.js";

const {
  startEvaluation,
  watchEvaluation,
  getEvaluation,
  listEvaluations,
  cancelEvaluation,
  compare,
  getReport,
  getTable,
} = EvaluatorServiceService;
const NUM_PROMPTS = 24;
const winners = await openDataset("emoji/winners", "test");
const others = await openDataset("emoji/other", "test");
const captions = Array.from({ length: winners.size }, (_, i) => winners.item(i).caption);
const digestOf = (name: string) => `sha256:${createHash("sha256").update(name).digest("hex")}`;

/**
 * What each checkpoint draws for the i-th prompt: `winners` the winner, `others` the other style, `half` now the one,
 * now the other.
 */
const drawn = async (checkpoint: string, i: number): Promise<RgbImage> =>
  (checkpoint === "winners" || (checkpoint === "half" && i % 2 === 0) ? winners : others).item(i).image();

/** A generator with real pictures in place of a model. */
const pictures = (delayMs = 0) =>
  async function* (request: RenderImagesRequest, { signal }: { signal: AbortSignal }) {
    const name = request.checkpoint!.modelName;
    for (const [item, { caption }] of request.items.entries()) {
      await sleep(delayMs, signal);
      const prompt = caption!.value as string;
      yield {
        item,
        prompt,
        checkpointDigest: digestOf(name),
        computeFingerprint: digestOf("machine"),
        image: Buffer.from(await encodeImage(await drawn(name, captions.indexOf(prompt)))),
        latents: undefined,
        traceparent: "",
      };
    }
  };

const closers: (() => Promise<void>)[] = [];
async function stopAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** An evaluator on a port of its own, with a tiny scorer, and a generator behind it. */
async function start(folder: string, renderImages = pictures(), { logitScale = 3 } = {}) {
  const generator = await startGeneratorServer({ renderImages });
  closers.push(generator.close);
  await writeTinyScorer(join(folder, "models/scorer"), { logitScale });
  return { folder, generator, ...connect(await startEvaluator(config(folder, generator.server.port))) };
}

const config = (folder: string, generatorPort: number) => {
  const flags = {
    port: "0",
    generatorAddress: `127.0.0.1:${generatorPort}`,
    modelDir: join(folder, "models"),
    dataDir: join(folder, "data"),
    dataIndexDir: join(folder, "index"),
    evaluationsDir: join(folder, "evaluations"),
    threads: "1",
    logLevel: "silent",
  };
  return readConfig(EVALUATOR_SETTINGS, flags, {});
};

function connect(evaluator: RunningEvaluator) {
  const channel = new RpcChannel(evaluator.address);
  closers.push(evaluator.stop, async () => channel.close());
  return { evaluator, channel };
}

const spec = (...names: string[]) =>
  EvaluationSpec.fromPartial({
    checkpoints: names.map((name, i) => ({
      label: `the-${name}`,
      checkpoint: { modelName: name },
      totalSteps: 10 * i,
    })),
    prompts: { name: "emoji" },
    maxPrompts: NUM_PROMPTS,
    seeds: [3n],
    sampler: { numSteps: 4, guidanceScale: 2 },
    scorers: ["scorer"],
    bootstrapSamples: 200,
  });

const watch = async (channel: RpcChannel, evaluationId: string, afterSequence = 0) => {
  const events: WatchEvaluationResponse[] = [];
  for await (const event of channel.stream(watchEvaluation, { evaluationId, afterSequence })) events.push(event);
  return events;
};

/** Runs an evaluation to its end. */
async function evaluate(channel: RpcChannel, requestId: string, asked: EvaluationSpec) {
  const { evaluation } = await channel.call(startEvaluation, { requestId, spec: asked });
  const { evaluationId } = evaluation!;
  const events = await watch(channel, evaluationId);
  const answer = await channel.call(getEvaluation, { evaluationId });
  return { evaluationId, events, evaluation: answer.evaluation! };
}

/** The scorer's own scores of what two checkpoints draw, hence the win rate that must come out. */
async function expectedWinRate(folder: string, a: string, b: string): Promise<number> {
  const scorer = await loadScorer(join(folder, "models/scorer"), { threads: 1 });
  const scoresOf = async (name: string) => {
    const indices = Array.from({ length: NUM_PROMPTS }, (_, i) => i);
    const images = await Promise.all(
      indices.map(async (i) => ({ image: await drawn(name, i), caption: captions[i]! })),
    );
    return (await scorer.score(images)).scores;
  };
  const [own, other] = [await scoresOf(a), await scoresOf(b)];
  await scorer.release();
  const outcomes = Array.from(own, (score, i): number => (score > other[i]! ? 1 : score < other[i]! ? 0 : 0.5));
  return mean(outcomes);
}

describe("a finished evaluation", () => {
  let run: Awaited<ReturnType<typeof start>>;
  let asked: EvaluationSpec;
  let evaluationId: string;
  let events: WatchEvaluationResponse[];
  let evaluation: Evaluation;
  beforeAll(async () => {
    run = await start(await mkdtemp(join(tmpdir(), "spin-test-")));
    asked = { ...spec("others", "half", "winners"), baselineLabel: "the-half" };
    ({ evaluationId, events, evaluation } = await evaluate(run.channel, "first", asked));
  });
  afterAll(async () => {
    await stopAll();
    await rm(run.folder, { recursive: true });
  });
  const distancesOf = ({ kid, cmmd }: CheckpointResult) => [kid!.value, cmmd!.value] as const;

  test("has told events without gaps: states, progress, results with the baseline's first", () => {
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    const states = events.flatMap(({ event }) => (event?.$case === "stateChange" ? [event.value.state] : []));
    expect(states).toEqual([JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_SUCCEEDED]);
    const told = events.flatMap(({ event }) => (event?.$case === "result" ? [event.value.label] : []));
    expect(told).toEqual(["the-half", "the-others", "the-winners"]);
    const last = events.findLast(({ event }) => event?.$case === "progress")?.event?.value;
    expect(last).toMatchObject({
      label: "the-winners",
      imagesDone: NUM_PROMPTS,
      imagesTotal: NUM_PROMPTS,
      allImagesDone: 4 * NUM_PROMPTS,
      allImagesTotal: 4 * NUM_PROMPTS,
      secondsLeft: 0,
    });
  });

  test("says what it was made with: defaults and digests filled in, results in the order of the request", () => {
    expect(evaluation).toMatchObject({
      state: JobState.JOB_STATE_SUCCEEDED,
      numPrompts: NUM_PROMPTS,
      computeFingerprint: digestOf("machine"),
      scorers: [{ name: "scorer", digest: expect.stringMatching(/^sha256:/) }],
      spec: { batchSize: 8, prompts: { digest: winners.digest, split: "test" } },
    });
    expect(evaluation.results.map(({ label }) => label)).toEqual(["the-others", "the-half", "the-winners"]);
    expect(evaluation.spec!.checkpoints.map(({ checkpoint }) => checkpoint!.digest)).toEqual(
      ["others", "half", "winners"].map(digestOf),
    );
  });

  test("has the win rates that the scorer's own scores make, ties half", async () => {
    const [byOthers, byHalf, byWinners] = evaluation.results.map(({ scores }) => scores[0]!.winRate);
    expect(byHalf).toBeUndefined();
    expect(byOthers!.value).toBeCloseTo(await expectedWinRate(run.folder, "others", "half"), 12);
    expect(byWinners!.value).toBeCloseTo(await expectedWinRate(run.folder, "winners", "half"), 12);
  });

  test("finds the winners themselves nearest to the winners, by KID and CMMD", () => {
    const [apart, half, same] = evaluation.results.map(distancesOf);
    expect([same![0], same![1]].map((value) => value.toFixed(9).replace("-", ""))).toEqual([
      "0.000000000",
      "0.000000000",
    ]);
    expect(apart![0]).toBeGreaterThan(0);
    expect(apart![0]).toBeGreaterThan(half![0]);
    expect(half![1]).toBeGreaterThan(0);
    expect(apart![1]).toBeGreaterThan(half![1]);
  });

  test("has the floor that real winners reach, and rows for table and summary", () => {
    const { real, results } = evaluation;
    expect(real).toMatchObject({ label: "real", numImages: NUM_PROMPTS, checkpointDigest: "" });
    expect(real!.scores[0]!.mean).toBeCloseTo(results[2]!.scores[0]!.mean, 6);
    const { rows, floor } = evaluationRows(evaluation);
    const steps = rows.map((row) => [row.name, row.steps]);
    expect(steps).toEqual([
      ["the-half", 10],
      ["the-others", 0],
      ["the-winners", 20],
    ]);
    expect(floor!.kid!.value).toBe(real!.kid!.value);
    expect(renderTable(rows, floor, "the-half")).toContain("real winners");
  });

  test("is listed without its results", async () => {
    const { evaluations } = await run.channel.call(listEvaluations, { pageSize: 0, pageToken: "" });
    expect(evaluations.map((one) => [one.evaluationId, one.results.length])).toEqual([[evaluationId, 0]]);
  });

  test("has a report with every picture it shows inside, and the curves that are given", async () => {
    const report = await readReport(run.channel, evaluationId);
    expect(report).toContain("the-winners");
    expect(report.match(/<img /g)).toHaveLength(NUM_PROMPTS * 4);
    expect(report).toContain("Implicit accuracy");
    expect(report).toContain('<span class="over">from the-half</span>');
    expect(report).toContain("<dt>spinRenoised.beta</dt><dd>20000</dd>");
    expect(report).toContain(">iteration 1</text>");
    expect(report).toContain("2.50 times the plan");
  });

  test("is what a repeated request gets; the same request_id with other content is refused", async () => {
    const again = await run.channel.call(startEvaluation, { requestId: "first", spec: asked });
    expect(again.evaluation).toEqual(evaluation);
    const other = run.channel.call(startEvaluation, { requestId: "first", spec: spec("half") });
    await expect(other).rejects.toMatchObject({ kind: "alreadyExists" });
  });

  test("compares any two of its checkpoints", async () => {
    const compared = { evaluationId, labelA: "the-winners", labelB: "the-others" };
    const { comparison } = await run.channel.call(compare, compared);
    expect(comparison!.scores[0]).toMatchObject({ scorer: "scorer", numPairs: NUM_PROMPTS });
    const { value, low, high } = comparison!.scores[0]!.winRate!;
    expect(value).toBeCloseTo(await expectedWinRate(run.folder, "winners", "others"), 12);
    expect([low! <= value, value <= high!]).toEqual([true, true]);
    const [apart, , same] = evaluation.results.map(distancesOf);
    expect(comparison!.kidDifference!.value).toBeCloseTo(same![0] - apart![0], 9);
    expect(comparison!.cmmdDifference!.value).toBeCloseTo(same![1] - apart![1], 9);
    const unknown = run.channel.call(compare, { ...compared, labelB: "nobody" });
    await expect(unknown).rejects.toMatchObject({ kind: "notFound", details: { field: "label_b" } });
    const real = run.channel.call(compare, { ...compared, labelB: "real" });
    await expect(real).rejects.toMatchObject({ kind: "invalid", message: expect.stringContaining("label_b") });
  });

  test("compares with another evaluation where both were measured alike, and says what differs where not", async () => {
    const alike = await evaluate(run.channel, "alike", spec("winners"));
    const pair = { evaluationId: "first", labelA: "the-others", labelB: "the-winners" };
    const within = await run.channel.call(compare, pair);
    const across = await run.channel.call(compare, { ...pair, evaluationIdB: alike.evaluationId });
    expect(across.comparison).toEqual(within.comparison);
    expect(across.comparison).toMatchObject({
      checkpointDigestA: digestOf("others"),
      checkpointDigestB: digestOf("winners"),
      protocol: { numPrompts: NUM_PROMPTS, seeds: [3n], sampler: { numSteps: 4 }, promptSetDigest: winners.digest },
    });
    const otherSpec = { ...spec("winners"), seeds: [4n], maxPrompts: 20 };
    const { evaluationId: evaluationIdB } = await evaluate(run.channel, "other", otherSpec);
    await expect(run.channel.call(compare, { ...pair, evaluationIdB })).rejects.toMatchObject({
      kind: "precondition",
      message: expect.stringContaining("numPrompts is 24 and 20; seeds is 3 and 4"),
    });
  });

  test("has a table of every picture, with how it was measured", async () => {
    const rows: PictureRow[] = [];
    const protocols: unknown[] = [];
    for await (const piece of run.channel.stream(getTable, { evaluationId, labels: [] })) {
      rows.push(...piece.rows);
      protocols.push(piece.protocol);
    }
    expect(protocols).toEqual([
      expect.objectContaining({ numPrompts: NUM_PROMPTS, computeFingerprint: digestOf("machine") }),
    ]);
    expect(rows).toHaveLength(4 * NUM_PROMPTS);
    expect(rows[1]).toMatchObject({ label: "the-others", promptIndex: 1, prompt: captions[1], seed: 4n });
    const own = rows.filter(({ label }) => label === "the-winners").map(({ scores }) => scores[0]!);
    expect(mean(own)).toBeCloseTo(evaluation.results[2]!.scores[0]!.mean, 12);
    const unknown = run.channel.stream(getTable, { evaluationId, labels: ["none"] });
    await expect(unknown[Symbol.asyncIterator]().next()).rejects.toMatchObject({ kind: "notFound" });
  });

  test("is known to a later process, which refuses to compare what was measured in another way", async () => {
    const compared = { evaluationId, labelA: "the-winners", labelB: "the-others" };
    const { comparison } = await run.channel.call(compare, compared);
    await run.evaluator.stop();
    const { channel } = connect(await startEvaluator(config(run.folder, run.generator.server.port)));
    expect((await channel.call(getEvaluation, { evaluationId })).evaluation).toEqual(evaluation);
    expect(await watch(channel, evaluationId, 3)).toEqual(events.slice(3));
    expect((await channel.call(compare, compared)).comparison).toEqual(comparison);
    const scores = join(run.folder, "evaluations", evaluationId, "scores");
    const file = join(scores, (await readdir(scores)).find((name) => name.endsWith("the-others.json"))!);
    await writeFile(file, (await readFile(file, "utf8")).replace(digestOf("machine"), digestOf("another")));
    await expect(channel.call(compare, compared)).rejects.toMatchObject({
      kind: "precondition",
      message: expect.stringContaining(`computeFingerprint is ${digestOf("machine")} and ${digestOf("another")}`),
    });
  });
});

describe("evaluations", () => {
  const folder = useTemporaryFolder();
  afterEach(stopAll);

  test("the same evaluation twice gives the same figures", async () => {
    const { channel } = await start(folder());
    const [one, two] = [await evaluate(channel, "a", spec("half")), await evaluate(channel, "b", spec("half"))];
    expect(two.evaluationId).not.toBe(one.evaluationId);
    expect([two.evaluation.results, two.evaluation.real]).toEqual([one.evaluation.results, one.evaluation.real]);
  });

  test("an evaluation at work is cancelled down to the generator, one that waits at once", async () => {
    let ended = false;
    const { channel } = await start(folder(), async function* (request, context) {
      try {
        yield* pictures(50)(request, context);
      } finally {
        ended = true;
      }
    });
    const first = await channel.call(startEvaluation, { requestId: "a", spec: spec("others") });
    const second = await channel.call(startEvaluation, { requestId: "b", spec: spec("others") });
    const [one, two] = [first.evaluation!.evaluationId, second.evaluation!.evaluationId];
    for await (const { event } of channel.stream(watchEvaluation, { evaluationId: one, afterSequence: 0 })) {
      if (event?.$case === "progress" && event.value.label === "the-others") break;
    }
    const waiting = await channel.call(cancelEvaluation, { evaluationId: two });
    expect(waiting.evaluation!.state).toBe(JobState.JOB_STATE_CANCELLED);
    await channel.call(cancelEvaluation, { evaluationId: one });
    const events = await watch(channel, one);
    expect(events.at(-1)!.event).toMatchObject({
      $case: "stateChange",
      value: { state: JobState.JOB_STATE_CANCELLED },
    });
    while (!ended) await sleep(5);
    await expect(channel.call(compare, { evaluationId: one, labelA: "a", labelB: "b" })).rejects.toMatchObject({
      kind: "precondition",
    });
    // What was cancelled stays so, and the next one runs.
    const again = await channel.call(cancelEvaluation, { evaluationId: one });
    expect(again.evaluation!.state).toBe(JobState.JOB_STATE_CANCELLED);
  });

  test.each([
    ["real winners", "real"],
    ["a checkpoint", "the-half"],
  ])("an evaluator that was stopped amid %s goes on when it is started again, with the same figures", async (_, at) => {
    const { channel, evaluator, generator } = await start(folder(), pictures(20));
    const { evaluation: whole } = await evaluate(channel, "whole", spec("others", "half"));
    const { evaluation } = await channel.call(startEvaluation, { requestId: "a", spec: spec("others", "half") });
    const { evaluationId } = evaluation!;
    for await (const { event } of channel.stream(watchEvaluation, { evaluationId, afterSequence: 0 })) {
      if (event?.$case === "progress" && event.value.label === at) break;
    }
    await evaluator.stop();
    const later = connect(await startEvaluator(config(folder(), generator.server.port)));
    const events = await watch(later.channel, evaluationId);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    const progress = events.flatMap(({ event }) => (event?.$case === "progress" ? [event.value] : []));
    // No picture is scored twice, or left out.
    expect(progress.map(({ allImagesDone }) => allImagesDone)).toEqual([16, 24, 40, 48, 64, 72]);
    const { evaluation: known } = await later.channel.call(getEvaluation, { evaluationId: "a" });
    expect(known!.state).toBe(JobState.JOB_STATE_SUCCEEDED);
    expect([known!.results, known!.real]).toEqual([whole.results, whole.real]);
    const scoresOf = async (id: string) => {
      const scores = join(folder(), "evaluations", id, "scores");
      return Promise.all((await readdir(scores)).map((name) => readFile(join(scores, name), "utf8")));
    };
    expect(await scoresOf(evaluationId)).toEqual(await scoresOf(whole.evaluationId));
    expect(await readdir(join(folder(), "evaluations", evaluationId))).not.toContain("partial");
  });

  test("a scorer that was replaced in between is refused: halves are not mixed", async () => {
    const { channel, evaluator, generator } = await start(folder(), pictures(20));
    const { evaluation } = await channel.call(startEvaluation, { requestId: "a", spec: spec("others") });
    const { evaluationId } = evaluation!;
    for await (const { event } of channel.stream(watchEvaluation, { evaluationId, afterSequence: 0 })) {
      if (event?.$case === "progress") break;
    }
    await evaluator.stop();
    await writeTinyScorer(join(folder(), "models/scorer"), { logitScale: 2 });
    const later = connect(await startEvaluator(config(folder(), generator.server.port)));
    await watch(later.channel, evaluationId);
    const { evaluation: known } = await later.channel.call(getEvaluation, { evaluationId });
    expect(known).toMatchObject({
      state: JobState.JOB_STATE_FAILED,
      failure: { reason: "PRECONDITION", message: expect.stringMatching(/scorers\.scorer sha256:.* now/) },
    });
  });

  test("one that failed is taken up again where asked for, behind what was scored", async () => {
    const generator = { drawn: 0, breaksAt: 20 };
    const { channel } = await start(folder(), async function* (request, context) {
      for await (const picture of pictures()(request, context)) {
        if (generator.drawn === generator.breaksAt) throw Object.assign(new Error("broken"), { code: 13 });
        generator.drawn += 1;
        yield picture;
      }
    });
    const { evaluation: failed, evaluationId } = await evaluate(channel, "a", spec("others"));
    expect(failed.state).toBe(JobState.JOB_STATE_FAILED);
    Object.assign(generator, { drawn: 0, breaksAt: -1 });
    const asked = { requestId: "a", spec: spec("others") };
    expect((await channel.call(startEvaluation, asked)).evaluation!.state).toBe(JobState.JOB_STATE_FAILED);
    await channel.call(startEvaluation, { ...asked, resume: true });
    await watch(channel, evaluationId);
    const { evaluation } = await channel.call(getEvaluation, { evaluationId });
    expect(evaluation).toMatchObject({ state: JobState.JOB_STATE_SUCCEEDED, failure: undefined });
    // The batch of 16 that was scored is not rendered again.
    expect(generator.drawn).toBe(NUM_PROMPTS - 16);
  });

  test("a scorer that fails ends the evaluation; nothing is scored zero", async () => {
    const { channel } = await start(folder(), pictures(), { logitScale: 200 }); // exp(200) is beyond float32
    const { evaluation } = await evaluate(channel, "a", spec("others"));
    expect(evaluation).toMatchObject({
      state: JobState.JOB_STATE_FAILED,
      failure: { reason: "INTERNAL", message: expect.stringContaining("scorer") },
      results: [],
    });
  });

  test.each<[string, Partial<EvaluationSpec>, Partial<SpinError>]>([
    ["an unknown scorer", { scorers: ["none"] }, { kind: "notFound", details: { field: "spec.scorers[0]" } }],
    ["an unknown prompt set", { prompts: { name: "none", digest: "", split: "" } }, { kind: "notFound" }],
    ["too few prompts", { maxPrompts: 2 }, { kind: "invalid", details: { field: "spec.max_prompts" } }],
    ["no checkpoints", { checkpoints: [] }, { kind: "invalid", details: { field: "spec.checkpoints" } }],
  ])("%s is refused before anything starts", async (_, change, error) => {
    const { channel } = await start(folder());
    const { details, ...rest } = error;
    await expect(
      channel.call(startEvaluation, { requestId: "a", spec: { ...spec("half"), ...change } }),
    ).rejects.toMatchObject({ ...rest, details: expect.objectContaining(details ?? {}) });
    const { evaluations } = await channel.call(listEvaluations, { pageSize: 0, pageToken: "" });
    expect(evaluations).toEqual([]);
  });

  test("unknown evaluations and pages are refused", async () => {
    const { channel } = await start(folder());
    const kind = "notFound";
    await expect(channel.call(getEvaluation, { evaluationId: "x" })).rejects.toMatchObject({ kind });
    await expect(channel.call(cancelEvaluation, { evaluationId: "x" })).rejects.toMatchObject({ kind });
    await expect(watch(channel, "x")).rejects.toMatchObject({ kind });
    await expect(channel.call(listEvaluations, { pageSize: 0, pageToken: "x" })).rejects.toMatchObject({
      kind: "invalid",
    });
  });
});

async function readReport(channel: RpcChannel, evaluationId: string): Promise<string> {
  const step = StepMetrics.fromPartial({ step: 1, loss: Math.LN2, margin: 0.1, implicitAccuracy: 0.5 });
  const curves = [{ label: "the-winners", steps: [step, { ...step, step: 2 }] }];
  const spec = { displayName: "spin-1", objective: { $case: "spinRenoised" as const, value: { beta: 20_000 } } };
  const lineage = [
    { label: "the-half", checkpointDigest: digestOf("half") },
    { label: "x", checkpointDigest: digestOf("winners"), baseDigest: digestOf("half"), totalSteps: 20, seed: 7n, spec },
  ];
  const spans = [{ kind: "stage", label: "iteration 1", start: 0, end: 9 }];
  const timeline = { seconds: 9, lanes: [{ name: "stages", spans }] };
  const request = GetReportRequest.fromPartial({
    evaluationId,
    curves,
    lineage,
    timeline,
    estimate: { plannedSeconds: 10, measuredSeconds: 25 },
  });
  const pieces: Uint8Array[] = [];
  for await (const { data } of channel.stream(getReport, request)) pieces.push(data);
  return Buffer.concat(pieces).toString();
}
