import { SpinError } from "../core/errors.js";
import type { RenderImagesRequest, RenderImagesResponse } from "../proto/gen/spin/v1/generator_service.js";
import { type GeneratorHandlers, startGeneratorServer } from "../test/support/generator-server.js";
import { type RenderJob, renderPictures } from "./render.js";

const WEIGHTS = `sha256:${"a".repeat(64)}`;
const FINGERPRINT = `sha256:${"b".repeat(64)}`;
const never = new AbortController().signal;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const job = (numItems: number, change: Partial<RenderJob> = {}): RenderJob => ({
  checkpoint: { digest: "", modelName: "base" },
  items: Array.from({ length: numItems }, (_, i) => ({ prompt: `p${i}`, seed: BigInt(100 + i) })),
  sampler: { kind: 0, numSteps: 4, eta: 0, guidanceScale: 2, guidanceRescale: 0, clipSkip: 0 },
  batchSize: 4,
  computeFingerprint: "",
  ...change,
});

const answer = (request: RenderImagesRequest, item: number): RenderImagesResponse => ({
  item,
  checkpointDigest: WEIGHTS,
  computeFingerprint: FINGERPRINT,
  prompt: request.items[item]!.caption!.value as string,
  image: Buffer.from([Number(request.items[item]!.seed)]),
  latents: undefined,
  traceparent: "",
});

/** Collects what is rendered by a generator with this behaviour, and the requests it had. */
async function render(
  renderImages: (request: RenderImagesRequest, call: number) => AsyncGenerator<RenderImagesResponse>,
  asked: RenderJob,
  signal = never,
) {
  const requests: RenderImagesRequest[] = [];
  const handlers: Partial<GeneratorHandlers> = {
    renderImages: (request) => {
      requests.push(request);
      return renderImages(request, requests.length);
    },
  };
  const { channel, close } = await startGeneratorServer(handlers);
  closers.push(close);
  const pictures: number[] = [];
  const done = (async () => {
    for await (const { index, png } of renderPictures(channel, asked, signal)) pictures.push(index * 1000 + png[0]!);
  })();
  return { requests, pictures, done };
}

const inOrder = (count: number) => Array.from({ length: count }, (_, i) => i * 1000 + 100 + i);

test("pictures come in order, asked for by prompt and seed, as PNG", async () => {
  const { requests, pictures, done } = await render(async function* (request) {
    for (const i of request.items.keys()) yield answer(request, i);
  }, job(6));
  await done;
  expect(pictures).toEqual(inOrder(6));
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({ batchSize: 4, format: 1, includeLatents: false, sampler: { numSteps: 4 } });
  expect(requests[0]!.items.map(({ seed }) => seed)).toEqual([100n, 101n, 102n, 103n, 104n, 105n]);
});

test("many pictures are asked for in calls of whole batches", async () => {
  const { requests, pictures, done } = await render(
    async function* (request) {
      for (const i of request.items.keys()) yield { ...answer(request, i), image: Buffer.from([1]) };
    },
    job(2100, { batchSize: 100 }),
  );
  await done;
  expect(pictures).toHaveLength(2100);
  expect(requests.map(({ items }) => items.length)).toEqual([1000, 1000, 100]);
});

test("a generator that goes away is asked again from the batch that is not complete; no picture comes twice", async () => {
  const { requests, pictures, done } = await render(async function* (request, call) {
    for (const i of request.items.keys()) {
      if (call === 1 && i === 6) throw new SpinError("unavailable", "shutting down", { retryAfterSeconds: 0.01 });
      if (call === 2 && i === 2) throw new SpinError("exhausted", "the queue is full", { retryAfterSeconds: 0.01 });
      yield answer(request, i);
    }
  }, job(10));
  await done;
  expect(pictures).toEqual(inOrder(10));
  expect(requests.map(({ items }) => items[0]!.seed)).toEqual([100n, 104n, 104n]);
});

test("a generator that stays away ends the evaluation with its own error", async () => {
  const { requests, done } = await render(async function* () {
    yield* [];
    throw new SpinError("unavailable", "no such luck", { retryAfterSeconds: 0.01 });
  }, job(3));
  await expect(done).rejects.toMatchObject({ kind: "unavailable", message: expect.stringContaining("no such luck") });
  expect(requests).toHaveLength(6);
});

test("other errors are not tried again", async () => {
  const { requests, done } = await render(async function* () {
    yield* [];
    throw new SpinError("notFound", "no checkpoint base");
  }, job(3));
  await expect(done).rejects.toMatchObject({ kind: "notFound" });
  expect(requests).toHaveLength(1);
});

const OTHER = `sha256:${"c".repeat(64)}`;
test.each<[string, Partial<RenderJob>, Partial<RenderImagesResponse>, string]>([
  ["other weights than asked for", { checkpoint: { digest: OTHER, modelName: "" } }, {}, "precondition"],
  ["other weights than the first picture's", {}, { checkpointDigest: OTHER }, "precondition"],
  ["no weights' digest", {}, { checkpointDigest: "" }, "precondition"],
  ["another fingerprint than before", { computeFingerprint: OTHER }, {}, "precondition"],
  ["another fingerprint than the first picture's", {}, { computeFingerprint: OTHER }, "precondition"],
  ["another prompt", {}, { prompt: "p9" }, "corrupt"],
  ["another place", {}, { item: 3 }, "corrupt"],
  ["no image", {}, { image: Buffer.alloc(0) }, "corrupt"],
])("a picture with %s is refused", async (_, asked, change, kind) => {
  const { done } = await render(
    async function* (request) {
      yield answer(request, 0);
      yield { ...answer(request, 1), ...change };
    },
    job(4, asked),
  );
  await expect(done).rejects.toMatchObject({ kind });
});

test("a signal ends it, down to the generator", async () => {
  const controller = new AbortController();
  let ended = false;
  const { done } = await render(
    async function* (request) {
      try {
        for (const i of request.items.keys()) {
          yield answer(request, i);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      } finally {
        ended = true;
      }
    },
    job(1000),
    controller.signal,
  );
  setTimeout(() => controller.abort(), 60);
  await expect(done).rejects.toMatchObject({ kind: "cancelled" });
  while (!ended) await new Promise((resolve) => setTimeout(resolve, 5));
});
