import { SampleTrajectoriesRequest } from "../../proto/gen/spin/v1/generator_service.js";
import { CropKind, SampleForm, SamplerKind, SamplingSpec, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";
import { samplingSpecDigest, withDigest } from "./digests.js";
import { relativeName, requestId, sampleTrajectoriesRequest } from "./request-schemas.js";
import { checkRequest } from "./validation.js";

const sha = (digit: string) => `sha256:${digit.repeat(64)}`;
const valid = SampleTrajectoriesRequest.fromPartial({
  spec: {
    checkpoint: { digest: sha("a") },
    dataset: { name: "emoji/fluent", digest: sha("b"), split: "train" },
    seed: 5775709n,
    iteration: 1,
    form: SampleForm.SAMPLE_FORM_TRAJECTORY,
    settings: {
      sampler: { kind: SamplerKind.SAMPLER_KIND_DDIM, numSteps: 20, eta: 1, guidanceScale: 1 },
      timestepChoice: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
      drawsPerSample: 1,
      image: { crop: CropKind.CROP_KIND_CENTER },
      dtype: DataType.DATA_TYPE_FLOAT32,
      batchSize: 8,
    },
  },
  firstIndex: 16,
  numSamples: 8,
});

/** The valid request with one member, named by a path, replaced. */
function changed(path: string, value: unknown): SampleTrajectoriesRequest {
  const request = structuredClone(valid);
  const keys = path.split(".");
  const last = keys.pop()!;
  const parent = keys.reduce(
    (object, key) => object[key] as Record<string, unknown>,
    request as unknown as Record<string, unknown>,
  );
  parent[last] = value;
  return request;
}

describe("checkRequest", () => {
  it("returns a valid request as it came", () => {
    expect(checkRequest(sampleTrajectoriesRequest, valid)).toEqual(valid);
    const wire = SampleTrajectoriesRequest.decode(SampleTrajectoriesRequest.encode(valid).finish());
    expect(checkRequest(sampleTrajectoriesRequest, wire)).toEqual(valid);
  });

  it.each([
    ["spec", undefined, "spec: expected a message, got nothing"],
    ["spec.checkpoint", undefined, "spec.checkpoint: expected a message, got nothing"],
    ["spec.checkpoint.digest", "", "spec.checkpoint: expected a digest or a model_name"],
    [
      "spec.checkpoint.digest",
      "sha256:12",
      'spec.checkpoint.digest: expected sha256: and 64 hexadecimal digits, got "sha256:12"',
    ],
    ["spec.dataset.digest", "", 'spec.dataset.digest: expected a digest, got ""'],
    [
      "spec.dataset.name",
      "../secret",
      "spec.dataset.name: expected path segments of [A-Za-z0-9._-], none of them . or .., got",
    ],
    ["spec.iteration", 0, "spec.iteration: expected at least 1, got 0"],
    ["spec.form", SampleForm.SAMPLE_FORM_UNSPECIFIED, "spec.form: expected one of SAMPLE_FORM_TRAJECTORY, "],
    [
      "spec.form",
      SampleForm.SAMPLE_FORM_REAL_ONLY,
      "spec.settings.sampler: expected no sampler where nothing is sampled",
    ],
    [
      "spec.settings.sampler",
      undefined,
      "spec.settings.sampler: expected a sampler for the synthetic side, got nothing",
    ],
    [
      "spec.settings.sampler.kind",
      SamplerKind.SAMPLER_KIND_UNSPECIFIED,
      "spec.settings.sampler.kind: expected SAMPLER_KIND_DDIM for trajectories, got 0",
    ],
    ["spec.settings.sampler.numSteps", 1001, "spec.settings.sampler.num_steps: expected at most 1000, got 1001"],
    ["spec.settings.sampler.numSteps", 2.5, "spec.settings.sampler.num_steps: expected a whole number, got 2.5"],
    ["spec.settings.sampler.eta", Number.NaN, "spec.settings.sampler.eta: expected a number, got NaN"],
    ["spec.settings.sampler.guidanceScale", 0, "spec.settings.sampler.guidance_scale: expected at least 1, got 0"],
    [
      "spec.settings.sampler.guidanceRescale",
      1.5,
      "spec.settings.sampler.guidance_rescale: expected at most 1, got 1.5",
    ],
    [
      "spec.settings.sampler.clipSkip",
      1,
      "spec.settings.sampler.clip_skip: expected 0 here: the sampling settings' own",
    ],
    ["spec.settings.clipSkip", 300, "spec.settings.clip_skip: expected at most 256, got 300"],
    [
      "spec.settings.timestepChoice",
      TimestepChoice.TIMESTEP_CHOICE_ALL,
      "spec.settings.draws_per_sample: expected as many draws as",
    ],
    [
      "spec.settings.image.crop",
      9,
      "spec.settings.image.crop: expected one of CROP_KIND_CENTER, CROP_KIND_RANDOM, got 9",
    ],
    ["firstIndex", 12, "first_index: expected a multiple of the spec's batch_size, got 12"],
    ["numSamples", 12, "num_samples: expected a multiple of the spec's batch_size, got 12"],
  ])("refuses %s = %p", (path, value, message) => {
    const check = () => checkRequest(sampleTrajectoriesRequest, changed(path, value));
    expect(check).toThrow(expect.objectContaining({ kind: "invalid", message: expect.stringContaining(message) }));
    expect(check).toThrow(expect.objectContaining({ details: { field: message.split(":")[0] } }));
  });

  it("names every wrong field", () => {
    const request = changed("spec.iteration", 0);
    request.firstIndex = -1;
    expect(() => checkRequest(sampleTrajectoriesRequest, request)).toThrow(/spec\.iteration: .*; first_index: /);
  });
});

describe("names", () => {
  it.each(["a", "a/b.c", ".hidden", "a/..b", "UPPER_1-2"])("%p may lie below a folder", (name) => {
    expect(relativeName.safeParse(name).success).toBe(true);
  });
  it.each(["", "/a", "a/", "a//b", "..", "a/..", "../a", ".", "./a", "a\\b", "a b", "a\u0000", "ü", "a\n"])(
    "%p may not",
    (name) => {
      expect(relativeName.safeParse(name).success).toBe(false);
    },
  );
  it("request identifiers are short and harmless", () => {
    expect(requestId.safeParse("run-1").success).toBe(true);
    for (const bad of ["", "x".repeat(65), "a/b"]) expect(requestId.safeParse(bad).success).toBe(false);
  });
});

describe("samplingSpecDigest", () => {
  const spec = valid.spec!;

  it("is the same for a spec that has travelled", () => {
    expect(samplingSpecDigest(SamplingSpec.decode(SamplingSpec.encode(spec).finish()))).toBe(samplingSpecDigest(spec));
  });

  it("stays what it was: stored draws and runs are found by it", () => {
    expect(samplingSpecDigest(spec)).toBe("sha256:1a9dda1ebb84631f7824c81f1593ae8cec4a4cf83926e0170b53b57f9478d650");
  });

  it.each([
    "seed",
    "iteration",
    "form",
    "settings.sampler.eta",
    "settings.sampler.negativePrompt",
    "settings.sampler.guidanceRescale",
    "settings.clipSkip",
    "settings.promptDropout",
    "settings.image.flipProbability",
    "settings.threads",
  ])("changes with %s", (path) => {
    const values: Record<string, unknown> = {
      seed: 1n,
      "settings.sampler.eta": 0.5,
      "settings.sampler.negativePrompt": "",
    };
    const value = values[path] ?? 1;
    const other = changed(`spec.${path}`, path === "iteration" || path === "form" ? 2 : value).spec!;
    expect(samplingSpecDigest(other)).not.toBe(samplingSpecDigest(spec));
  });
});

describe("withDigest", () => {
  it("tells fingerprints apart by every field", () => {
    const base = { runtime: "onnxruntime-node 1.30.0", provider: "cpu", instructionSet: "x64 avx2", threads: 2 };
    const digests = [
      base,
      { ...base, runtime: "b" },
      { ...base, provider: "cuda" },
      { ...base, instructionSet: "" },
      { ...base, threads: 1 },
    ].map((fingerprint) => withDigest(fingerprint).digest);
    expect(new Set(digests).size).toBe(5);
    expect(withDigest(withDigest(base)).digest).toBe(digests[0]);
  });
});
