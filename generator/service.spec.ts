import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataset } from "../core/data/open-dataset.js";
import { Pipeline } from "../core/runtime/pipeline.js";
import { sleep } from "../core/service/deadline.js";
import { samplingSpecDigest } from "../core/service/digests.js";
import { decodeFloat32, decodeInt32 } from "../core/service/tensor-codec.js";
import { GeneratorServiceService as Methods } from "../proto/gen/spin/v1/generator_service.js";
import { type DrawBatch, type SampleForm, type SamplingSettings, SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import { startCheckpointServer } from "../test/support/checkpoint-server.js";
import { failure } from "../test/support/failure.js";
import { startTinyGenerator, type TinyGenerator } from "../test/support/tiny-generator.js";
import { TINY_LATENT, writeTinyModel } from "../test/support/tiny-model.js";

let folder: string;
let digest: string;
let winnersDigest: string;
let pairsDigest: string;
let tiny: TinyGenerator;
let replica: TinyGenerator;
let reference: Pipeline;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spin-generator-"));
  digest = await writeTinyModel(join(folder, "models/tiny"));
  winnersDigest = (await openDataset("emoji/winners", "train")).digest;
  pairsDigest = (await openDataset("emoji/mixed", "train")).digest;
  [tiny, replica] = await Promise.all([startTinyGenerator(folder), startTinyGenerator(folder)]);
  reference = await Pipeline.load(join(folder, "models/tiny"), { threads: 1 });
});
afterAll(async () => {
  await Promise.all([tiny.close(), replica.close()]);
  await reference.release();
  await rm(folder, { recursive: true });
});

type SpecChange = Partial<SamplingSpec> & { readonly change?: Partial<SamplingSettings> };
const DDIM = { kind: 1, numSteps: 4, eta: 1, guidanceScale: 2, guidanceRescale: 0, clipSkip: 0 };

function spec({ change, ...fields }: SpecChange = {}): SamplingSpec {
  return SamplingSpec.fromPartial({
    checkpoint: { digest, modelName: "" },
    dataset: { name: "emoji/winners", digest: winnersDigest, split: "train" },
    seed: 11n,
    iteration: 1,
    form: 1,
    ...fields,
    settings: {
      sampler: DDIM,
      timestepChoice: 1,
      drawsPerSample: 2,
      promptDropout: 0.1,
      image: { resolution: 0, crop: 1, flipProbability: 0 },
      dtype: 1,
      batchSize: 2,
      ...change,
    },
  });
}
const FORMS: [string, SpecChange][] = [
  ["TRAJECTORY", {}],
  ["RENOISED", { form: 2 as SampleForm }],
  ["REAL_ONLY", { form: 3 as SampleForm, change: { sampler: undefined } }],
  ["PAIR", { form: 4 as SampleForm, change: { sampler: undefined } }],
];
const specOf = (fields: SpecChange) =>
  fields.form === 4
    ? spec({ ...fields, dataset: { name: "emoji", digest: pairsDigest, split: "train" } })
    : spec(fields);

async function sample(of: SamplingSpec, firstIndex = 0, numSamples = 2, { channel } = tiny): Promise<DrawBatch[]> {
  const batches: DrawBatch[] = [];
  const request = { spec: of, firstIndex, numSamples, contentDigest: "" };
  for await (const { batch } of channel.stream(Methods.sampleTrajectories, request)) batches.push(batch!);
  return batches;
}

/** Everything that a batch means: all but when and how fast it was computed, and the digest that covers these too. */
const content = ({ traceparent: _, computeSeconds: __, contentDigest: ___, ...batch }: DrawBatch) => batch;

describe.each(FORMS)("SampleTrajectories, %s", (_, fields) => {
  it("streams a message per batch, stamped, with tensors of the promised shapes", async () => {
    const of = specOf(fields);
    const batches = await sample(of, 2, 4);
    expect(batches.map(({ firstIndex, numSamples }) => [firstIndex, numSamples])).toEqual([
      [2, 2],
      [4, 2],
    ]);
    const { generator } = await tiny.channel.call(Methods.getGenerator, {});
    for (const batch of batches) {
      expect(batch).toMatchObject({
        specDigest: samplingSpecDigest(of),
        checkpointDigest: digest,
        computeFingerprint: generator!.fingerprint!.digest,
      });
      expect(batch.computeSeconds).toBeGreaterThan(0);
      expect(decodeInt32(batch.timesteps, "t", [4]).data.every((t) => t >= 0 && t < 1000)).toBe(true);
      decodeFloat32(batch.encoderHiddenStates, "states", [2, 8, 16]);
      const sides = fields.form === 3 ? [batch.real] : [batch.real, batch.synthetic];
      for (const side of sides) {
        decodeFloat32(side?.noisyLatents, "x", [4, ...TINY_LATENT]);
        decodeFloat32(side?.target, "target", [4, ...TINY_LATENT]);
        if (fields.form !== 3) decodeFloat32(side?.referenceError, "e", [4]);
      }
      expect(batch.synthetic === undefined).toBe(fields.form === 3);
      expect(batch.previousTimesteps === undefined).toBe(fields.form !== undefined);
    }
  });

  it("gives the same bits again: another stream, another range, another replica", async () => {
    const of = specOf(fields);
    const [, second] = await sample(of, 0, 4);
    const [alone] = await sample(of, 2, 2);
    expect(content(alone!)).toEqual(content(second!));
    const [, , other] = await sample(of, 4, 6, replica);
    const [first] = await sample(of, 2, 2, replica);
    expect(content(first!)).toEqual(content(second!));
    expect(content(other!)).toEqual(content((await sample(of, 8, 2))[0]!));
  });

  it("has e_k equal to what a trainer computes from the message while its weights are θ_k", async () => {
    if (fields.form === 3) return;
    const [batch] = await sample(specOf(fields), 6, 2);
    const t = decodeInt32(batch!.timesteps, "t").data;
    const states = decodeFloat32(batch!.encoderHiddenStates, "states");
    const perSample = states.data.length / 2;
    const rows = Float32Array.from(
      [0, 0, 1, 1].flatMap((i) => [...states.data.slice(i * perSample, (i + 1) * perSample)]),
    );
    for (const side of [batch!.real!, batch!.synthetic!]) {
      const x = decodeFloat32(side.noisyLatents, "x");
      const target = decodeFloat32(side.target, "target").data;
      const output = await reference.denoise(x, Float32Array.from(t), { states: { shape: [4, 8, 16], data: rows } });
      const errors = decodeFloat32(side.referenceError, "e").data;
      for (const [row, error] of errors.entries()) {
        let sum = 0;
        for (let i = row * 256; i < (row + 1) * 256; i++) sum += (target[i]! - output[i]!) ** 2;
        expect(Math.abs(sum / 256 - error)).toBeLessThan(1e-5 * Math.max(1, error));
      }
    }
  });
});

describe("SampleTrajectories refuses", () => {
  const cases: [string, () => Promise<unknown>, object][] = [
    ["a range off the batches", () => sample(spec(), 1), { kind: "invalid", field: "first_index" }],
    ["part of a batch", () => sample(spec(), 0, 3), { kind: "invalid", field: "num_samples" }],
    ["indices beyond 32 bits", () => sample(spec(), 2 ** 32 - 2, 4), { kind: "invalid", field: "num_samples" }],
    [
      "another fingerprint",
      () => sample(spec({ computeFingerprint: digest })),
      { kind: "precondition", field: "spec.compute_fingerprint" },
    ],
    [
      "another number of threads",
      () => sample(spec({ change: { threads: 7 } })),
      { kind: "precondition", field: "spec.settings.threads" },
    ],
    [
      "half precision",
      () => sample(spec({ change: { dtype: 2 } })),
      { kind: "precondition", field: "spec.settings.dtype" },
    ],
    [
      "another data set",
      () => sample(spec({ dataset: { name: "emoji/winners", digest, split: "train" } })),
      { kind: "precondition", field: "spec.dataset.digest" },
    ],
    [
      "an unknown data set",
      () => sample(spec({ dataset: { name: "pictures", digest, split: "train" } })),
      { kind: "notFound", field: "name" },
    ],
    [
      "an unknown checkpoint",
      () => sample(spec({ checkpoint: { digest: winnersDigest, modelName: "" } })),
      { kind: "notFound", field: "spec.checkpoint.digest" },
    ],
    [
      "weights other than asked for",
      () => sample(spec({ checkpoint: { digest: winnersDigest, modelName: "tiny" } })),
      { kind: "precondition", field: "spec.checkpoint.digest" },
    ],
    [
      "flips of captions that tell left from right",
      () => sample(spec({ change: { image: { resolution: 0, crop: 1, flipProbability: 1 } } })),
      { kind: "invalid", field: "spec.settings.image.flip_probability" },
    ],
    [
      "a resolution that the VAE does not have",
      () => sample(spec({ change: { image: { resolution: 17, crop: 1, flipProbability: 0 } } })),
      { kind: "invalid", field: "spec.settings.image.resolution" },
    ],
    [
      "draws that do not fit a message",
      () =>
        sample(
          spec({
            change: { batchSize: 256, drawsPerSample: 1000, image: { resolution: 32, crop: 1, flipProbability: 0 } },
          }),
          0,
          256,
        ),
      { kind: "invalid", field: "spec.settings.batch_size" },
    ],
  ];
  it.each(cases)("%s", async (_, work, { kind, field }: { kind?: string; field?: string }) => {
    expect(await failure(work())).toMatchObject({ kind, details: { field } });
  });
});

test("captions of test are not trained on: an empty split is train", async () => {
  const named = await sample(spec());
  const [unnamed] = await sample(spec({ dataset: { name: "emoji/winners", digest: winnersDigest, split: "" } }));
  expect(unnamed!.real).toEqual(named[0]!.real);
});

test("draws follow seed and iteration", async () => {
  const [batch] = await sample(spec());
  for (const fields of [{ seed: 12n }, { iteration: 2 }]) {
    expect((await sample(spec(fields)))[0]!.real).not.toEqual(batch!.real);
  }
});

describe("a generator", () => {
  it("says what it is and holds", async () => {
    await sample(spec());
    const { generator } = await tiny.channel.call(Methods.getGenerator, {});
    expect(generator).toMatchObject({
      version: "0.1.0",
      fingerprint: { provider: "cpu", threads: 1 },
      loadedCheckpoints: [digest],
      queueLength: 0,
      queueCapacity: 16,
      activeBatches: 0,
    });
  });

  it("fetches θ_k from the trainer by digest and runs it, not what it ran before", async () => {
    await writeTinyModel(join(folder, "trainer/next"), { seed: 21n });
    const trainer = await startCheckpointServer(join(folder, "trainer/next"));
    const local = await startTinyGenerator(folder, { checkpointAddress: trainer.address, maxLoaded: 1 });
    const before = await sample(spec(), 0, 2, local);
    const next = spec({ checkpoint: { digest: trainer.digest, modelName: "" } });
    const [batch] = await sample(next, 0, 2, local);
    const { generator } = await local.channel.call(Methods.getGenerator, {});
    await local.close();
    await trainer.close();
    expect(batch!.checkpointDigest).toBe(trainer.digest);
    expect(batch!.real!.noisyLatents).toEqual(before[0]!.real!.noisyLatents); // The VAE is the same.
    expect(batch!.real!.referenceError).not.toEqual(before[0]!.real!.referenceError);
    expect(generator!.loadedCheckpoints).toEqual([trainer.digest]);
  });

  it("lets no more streams in than its queue takes, and says when to come back", async () => {
    const small = await startTinyGenerator(folder, { queueCapacity: 1 });
    const long = spec({ change: { sampler: { ...DDIM, numSteps: 50 } } });
    const request = { spec: long, firstIndex: 0, numSamples: 2000, contentDigest: "" };
    const stream = small.channel.stream(Methods.sampleTrajectories, request);
    await stream.next();
    const error = await failure(sample(spec(), 0, 2, small));
    expect(error.kind).toBe("exhausted");
    expect(error.details.retryAfterSeconds).toBeGreaterThan(0);
    await stream.return();
    await small.close();
  });

  it("stops between two runs when a caller gives up", async () => {
    const controller = new AbortController();
    const long = spec({ change: { sampler: { ...DDIM, numSteps: 500 }, batchSize: 64 } }); // Half a minute and more.
    const request = { spec: long, firstIndex: 0, numSamples: 64, contentDigest: "" };
    const stream = tiny.channel.stream(Methods.sampleTrajectories, request, { signal: controller.signal });
    const given = failure(stream.next());
    const activeBatches = async () => (await tiny.channel.call(Methods.getGenerator, {})).generator!.activeBatches;
    while ((await activeBatches()) === 0) await sleep(5);
    controller.abort();
    expect((await given).kind).toBe("cancelled");
    const start = performance.now();
    while ((await activeBatches()) > 0) await sleep(5);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it("keeps to a caller's deadline", async () => {
    const long = spec({ change: { sampler: { ...DDIM, numSteps: 500 } } });
    const stream = tiny.channel.stream(
      Methods.sampleTrajectories,
      { spec: long, firstIndex: 0, numSamples: 2, contentDigest: "" },
      { timeoutMs: 300 },
    );
    expect((await failure(stream.next())).kind).toBe("cancelled");
  });

  it("does not compute for a caller that does not read", async () => {
    const of = spec({ form: 3, change: { sampler: undefined, drawsPerSample: 64 } });
    const request = { spec: of, firstIndex: 0, numSamples: 20_000, contentDigest: "" };
    const stream = tiny.channel.stream(Methods.sampleTrajectories, request); // 260 KB a message
    await stream.next();
    const activeBatches = async () => {
      await sleep(50);
      return (await tiny.channel.call(Methods.getGenerator, {})).generator!.activeBatches;
    };
    for (let idle = 0; idle < 10; ) idle = (await activeBatches()) === 0 ? idle + 1 : 0;
    await stream.return();
  });

  it("answers other calls while the model runs, not between two runs", async () => {
    const sampler = { ...DDIM, numSteps: 8 };
    const request = {
      spec: spec({ change: { sampler, batchSize: 64, drawsPerSample: 1 } }),
      firstIndex: 0,
      numSamples: 64,
    };
    await sample(request.spec, 0, 64); // Compiles the model.
    let seconds: number | undefined;
    const stream = sample(request.spec, 0, 64).then(([batch]) => {
      seconds = batch!.computeSeconds;
    });
    const waits: number[] = [];
    while (seconds === undefined) {
      const start = performance.now();
      await tiny.channel.call(Methods.getGenerator, {});
      waits.push(performance.now() - start);
    }
    await stream;
    const median = waits.sort((a, b) => a - b)[waits.length >> 1]!;
    expect(median).toBeLessThan((1000 * seconds) / 9 / 4); // A quarter of one run.
  });
});

test("a port in use is told as such", async () => {
  const port = Number(tiny.address.split(":")[1]);
  await expect(startTinyGenerator(folder, { port })).rejects.toMatchObject({ kind: "precondition" });
});
