import { DRAW_LATENT, DRAW_SPEC, DRAW_TEXT, drawBatch } from "../../bench/fuzz/draw-batches.js";
import { SpinError } from "../../core/errors.js";
import { sealedBatch } from "../../core/service/content-digest.js";
import { sleep } from "../../core/service/deadline.js";
import { samplingSpecDigest } from "../../core/service/digests.js";
import { createLogger } from "../../core/service/logging.js";
import type { DrawBatch } from "../../proto/gen/spin/v1/sampling.js";
import { startGeneratorServer } from "../../test/support/generator-server.js";
import { until } from "../../test/support/until.js";
import { checkDraws, type Draws } from "./check-draws.js";
import { DrawSource, type DrawSourceOptions } from "./draw-source.js";
import { Generators } from "./generators.js";

const BATCH = DRAW_SPEC.settings!.batchSize;
const log = createLogger("test", "silent");
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Sample = (index: number, signal: AbortSignal) => Promise<DrawBatch> | DrawBatch;

/** A generator that answers each call with what `sample` makes, and notes what it was asked for. */
async function generator(sample: Sample = (index) => drawBatch(index)) {
  const asked: number[] = [];
  const started = await startGeneratorServer({
    sampleTrajectories: async function* ({ firstIndex, numSamples }, { signal }) {
      asked.push(firstIndex / BATCH);
      for (let index = firstIndex; index < firstIndex + numSamples; index += BATCH) {
        yield { batch: sealedBatch(await sample(index, signal)) };
      }
    },
  });
  closing.push(started.close);
  return { ...started, address: `127.0.0.1:${started.server.port}`, asked };
}

async function connect(...generators: readonly { readonly address: string }[]): Promise<Generators> {
  const connected = await Generators.connect(
    generators.map(({ address }) => address),
    log,
  );
  closing.push(() => connected.close());
  return connected;
}

function source(generators: Generators, options: Partial<DrawSourceOptions> = {}): DrawSource {
  const specDigest = samplingSpecDigest(DRAW_SPEC);
  const expected = { spec: DRAW_SPEC, specDigest, latent: DRAW_LATENT, text: DRAW_TEXT, numTrainTimesteps: 1000 };
  const made = new DrawSource({
    spec: DRAW_SPEC,
    firstBatch: 0,
    numBatches: 10,
    check: (batch, firstIndex) => checkDraws(batch, firstIndex, expected),
    generators,
    prefetch: 4,
    batchTimeoutMs: 10_000,
    patienceMs: 5_000,
    log,
    signal: new AbortController().signal,
    ...options,
  });
  closing.push(() => made.close());
  return made;
}

async function collect(draws: AsyncIterable<Draws>): Promise<Draws[]> {
  const all: Draws[] = [];
  for await (const one of draws) all.push(one);
  return all;
}

/** The first latents of every batch, which tell which batch it is. */
const fingerprints = (all: readonly Draws[]) => all.map(({ real }) => real.noisyLatents[0]);
const rightOrder = Array.from({ length: 10 }, (_, i) => drawBatch(i * BATCH).real!.noisyLatents!.data.readFloatLE(0));

test("draws come in the order of their indices, whatever the order in which replicas deliver them", async () => {
  const backwards = async (index: number) => {
    await sleep(40 - 4 * (index / BATCH));
    return drawBatch(index);
  };
  const two = [await generator(backwards), await generator(backwards)];
  expect(fingerprints(await collect(source(await connect(...two))))).toEqual(rightOrder);
  const asked = two.flatMap((one) => one.asked);
  expect(asked.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const one of two) expect(one.asked.length).toBeGreaterThan(1);
});

test("what was generated is trained on, refused or pending at every moment", async () => {
  const liar = await generator((index) => (index % (2 * BATCH) === 0 ? withNaN(drawBatch(index)) : drawBatch(index)));
  const honest = await generator();
  const draws = source(await connect(liar, honest));
  const { counts } = draws;
  const add = () => expect(counts.generated).toBe(counts.trained + counts.refused + counts.pending);
  let handedOut = 0;
  for await (const _ of draws) {
    handedOut += BATCH;
    add();
    expect(counts.trained).toBe(handedOut);
    expect(counts.pending).toBeGreaterThanOrEqual(0);
  }
  await draws.close();
  add();
  expect(counts).toMatchObject({ trained: 10 * BATCH, pending: 0 });
  expect(counts.refused).toBeGreaterThan(0);
});

test("sampling goes on while draws are consumed, but no further than the window", async () => {
  const one = await generator();
  const draws = source(await connect(one))[Symbol.asyncIterator]();
  await until(() => one.asked.length === 4);
  await sleep(100);
  expect(one.asked).toHaveLength(4);
  await draws.next();
  await until(() => one.asked.length === 5);
});

test("what a dead replica was asked for is asked of another", async () => {
  const dead = await generator((_, signal) => sleep(60_000, signal) as Promise<never>);
  const alive = await generator();
  const collected = collect(source(await connect(dead, alive)));
  await until(() => dead.asked.length > 0 && alive.asked.length > 0);
  await dead.close();
  expect(fingerprints(await collected)).toEqual(rightOrder);
  expect(alive.asked).toEqual(expect.arrayContaining(dead.asked));
});

test("a replica that does not answer in time loses its batch to another", async () => {
  const hanging = await generator((_, signal) => sleep(60_000, signal) as Promise<never>);
  const alive = await generator();
  const draws = source(await connect(hanging, alive), { batchTimeoutMs: 300 });
  expect(fingerprints(await collect(draws))).toEqual(rightOrder);
});

test("what a silent replica was asked for is asked of another long before its time is over, and it is told that it is late", async () => {
  let cancelled = 0;
  const silent = await generator((_, signal) => {
    signal.addEventListener("abort", () => cancelled++);
    return sleep(60_000, signal) as Promise<never>;
  });
  const alive = await generator();
  const started = performance.now();
  const draws = source(await connect(silent, alive), { batchTimeoutMs: 60_000 });
  expect(fingerprints(await collect(draws))).toEqual(rightOrder);
  expect(performance.now() - started).toBeLessThan(10_000);
  await until(() => cancelled === silent.asked.length);
});

test("draws that the way has changed are asked for again, of the same replica", async () => {
  let damaged = 0;
  const started = await startGeneratorServer({
    sampleTrajectories: async function* ({ firstIndex }) {
      const batch = sealedBatch(drawBatch(firstIndex));
      if (firstIndex === 3 * BATCH && damaged++ === 0) {
        const data = Buffer.from(batch.real!.target!.data);
        data[1]! ^= 4;
        yield { batch: { ...batch, real: { ...batch.real!, target: { ...batch.real!.target!, data } } } };
      } else yield { batch };
    },
  });
  closing.push(started.close);
  const draws = source(await connect({ address: `127.0.0.1:${started.server.port}` }));
  expect(fingerprints(await collect(draws))).toEqual(rightOrder);
  expect(damaged).toBe(2);
  expect(draws.counts.refused).toBe(BATCH);
});

test("one refusal alone sets nobody aside", async () => {
  let asked = 0;
  const once = await generator((index) => {
    if (asked++ === 0) throw new SpinError("invalid", "spec: cannot be understood");
    return drawBatch(index);
  });
  expect(fingerprints(await collect(source(await connect(once))))).toEqual(rightOrder);
});

test("a full queue is asked again after the delay that it names", async () => {
  const times: number[] = [];
  const busy = await generator((index) => {
    times.push(performance.now());
    if (times.length <= 2) throw new SpinError("exhausted", "the queue is full", { retryAfterSeconds: 0.3 });
    return drawBatch(index);
  });
  // Patience ends sooner than the delay: who is busy is alive.
  expect(fingerprints(await collect(source(await connect(busy), { patienceMs: 100 })))).toEqual(rightOrder);
  expect(times[2]! - times[1]!).toBeGreaterThan(250);
});

const lies: [string, string, (batch: DrawBatch) => DrawBatch, string][] = [
  ["with other weights", "precondition", (batch) => ({ ...batch, checkpointDigest: "sha256:0" }), "checkpoint_digest"],
  ["of another machine", "precondition", (batch) => ({ ...batch, computeFingerprint: "" }), "compute_fingerprint"],
  ["of another place", "precondition", (batch) => ({ ...batch, firstIndex: 99 }), "first_index"],
  [
    "that are not numbers",
    "corrupt",
    (batch) => withNaN(batch),
    "batch.real.target: expected finite numbers, got NaN at 0",
  ],
];

function withNaN(batch: DrawBatch): DrawBatch {
  const target = batch.real!.target!;
  const data = Buffer.from(target.data);
  data.writeFloatLE(Number.NaN, 0);
  return { ...batch, real: { ...batch.real!, target: { ...target, data } } };
}

test.each(lies)("a replica that sends draws %s is set aside, and others go on", async (_, _kind, distort) => {
  const liar = await generator((index) => distort(drawBatch(index)));
  const honest = await generator(async (index) => {
    await sleep(20);
    return drawBatch(index);
  });
  expect(fingerprints(await collect(source(await connect(liar, honest))))).toEqual(rightOrder);
  expect(liar.asked.length).toBeLessThanOrEqual(2); // What it was asked for at once, and nothing after.
});

test.each(lies)(
  "where all replicas send draws %s, the error is %s and names them",
  async (_, kind, distort, message) => {
    const liar = await generator((index) => distort(drawBatch(index)));
    const error: unknown = await collect(source(await connect(liar))).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind, message: expect.stringContaining(message) });
    expect(error).toMatchObject({ message: expect.stringContaining(`${liar.address}: its draws are refused`) });
  },
);

test("a generator's own refusal ends the job with its reason", async () => {
  const lacking = await generator(() => {
    throw new SpinError("notFound", "no checkpoint has this digest");
  });
  await expect(collect(source(await connect(lacking)))).rejects.toMatchObject({
    kind: "notFound",
    message: expect.stringContaining("no checkpoint has this digest"),
  });
});

test("a batch sent twice counts once", async () => {
  const started = await startGeneratorServer({
    sampleTrajectories: async function* ({ firstIndex }) {
      yield { batch: sealedBatch(drawBatch(firstIndex)) };
      yield { batch: sealedBatch(drawBatch(firstIndex)) };
    },
  });
  closing.push(started.close);
  const address = `127.0.0.1:${started.server.port}`;
  expect(fingerprints(await collect(source(await connect({ address }))))).toEqual(rightOrder);
});

test("without any generator the job waits as long as its patience, then names the reason", async () => {
  const gone = await generator();
  await gone.close();
  const started = performance.now();
  await expect(collect(source(await connect(gone), { patienceMs: 600 }))).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringMatching(/no generator has delivered for 0.6 s: 127\.0\.0\.1:\d+: .*start a generator/),
  });
  expect(performance.now() - started).toBeGreaterThan(500);
});

test("a generator that comes back in time is used again", async () => {
  const first = await generator();
  await first.close();
  const collected = collect(source(await connect(first)));
  await sleep(300);
  const again = await startGeneratorServer(
    {
      sampleTrajectories: async function* ({ firstIndex }) {
        yield { batch: sealedBatch(drawBatch(firstIndex)) };
      },
    },
    { port: first.server.port },
  );
  closing.push(again.close);
  expect(fingerprints(await collected)).toEqual(rightOrder);
});

test("replicas that join are used, and those that left are asked nothing more", async () => {
  const held = { open: () => {} };
  const gate = new Promise<void>((resolve) => {
    held.open = resolve;
  });
  const leaving = await generator(async (index) =>
    index === 0 ? drawBatch(index) : gate.then(() => drawBatch(index)),
  );
  const joining = await generator();
  const addresses = [leaving.address];
  const generators = await Generators.connect(["generator:1"], log, {
    resolve: async () => [...addresses],
    pollMs: 50,
  });
  closing.push(() => generators.close());
  const collected = collect(source(generators));
  await until(() => leaving.asked.length >= 3);
  addresses.push(joining.address);
  await until(() => joining.asked.length > 0);
  addresses.shift();
  await until(() => !generators.channels.some(({ address }) => address === leaving.address));
  const asked = leaving.asked.length;
  expect(fingerprints(await collected)).toEqual(rightOrder);
  expect(leaving.asked).toHaveLength(asked);
  held.open();
});

test("a name stands for every address that it has, of one family", async () => {
  const generators = await Generators.connect(["localhost:5", "[::1]:6", "127.0.0.1:7"], log);
  closing.push(() => generators.close());
  expect(generators.channels.map(({ address }) => address)).toEqual(["127.0.0.1:5", "[::1]:6", "127.0.0.1:7"]);
});

test("a cancellation ends waiting and the calls at work", async () => {
  let aborted = 0;
  const slow = await generator(async (_, signal) => {
    signal.addEventListener("abort", () => aborted++);
    return (await sleep(60_000, signal)) as never;
  });
  const controller = new AbortController();
  const collected = collect(source(await connect(slow), { signal: controller.signal }));
  await until(() => slow.asked.length === 2);
  controller.abort(new SpinError("cancelled", "enough"));
  await expect(collected).rejects.toMatchObject({ kind: "cancelled", message: "enough" });
  await until(() => aborted === 2);
});
