import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { SpinError } from "../../core/errors.js";
import { RpcChannel } from "../../core/service/client.js";
import { EvaluationSpec } from "../../proto/gen/spin/v1/evaluation.js";
import { EvaluatorServiceService } from "../../proto/gen/spin/v1/evaluator_service.js";
import { GeneratorServiceService, RenderImagesRequest } from "../../proto/gen/spin/v1/generator_service.js";
import { TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import { startAllServices } from "../support/all-services.js";
import { startCheckpointServer } from "../support/checkpoint-server.js";
import { failure } from "../support/failure.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { startTinyGenerator } from "../support/tiny-generator.js";
import { TINY_IMAGE_SIZE, writeTinyModel } from "../support/tiny-model.js";
import { writeTinyScorer } from "../support/tiny-scorer.js";
import { createRun, smallSpec } from "../support/trainer-client.js";

/** The services ask the real disk, and want more free on it than any disk has. */
const TOO_MUCH = 1_000_000_000;

const folder = useTemporaryFolder();
const at = (...path: string[]) => join(folder(), ...path);

/** RESOURCE_EXHAUSTED that names the folder, what is free and what is needed. */
function expectFull(error: SpinError, variable: string, path: string): void {
  expect((error.details.cause as ServiceError).code).toBe(status.RESOURCE_EXHAUSTED);
  const [, shown, free, needed] = /^(\w+ \(.*?\)) has (\d+) bytes free, (\d+) are needed/.exec(error.message)!;
  expect(shown).toBe(`${variable} (${path})`);
  expect(Number(free)).toBeGreaterThan(0);
  expect(Number(needed)).toBeGreaterThanOrEqual(TOO_MUCH * 2 ** 20);
  expect(error.details).toMatchObject({ file: path, remedy: expect.stringContaining("MIN_FREE_DISK_MB") });
}

/** Starts all services, and channels to trainer and evaluator. */
async function start(minFreeDiskMb: number) {
  const services = await startAllServices(folder(), { minFreeDiskMb: String(minFreeDiskMb) });
  const [trainer, evaluator] = [services.addresses.trainer, services.addresses.evaluator].map(
    (address) => new RpcChannel(address),
  ) as [RpcChannel, RpcChannel];
  const stop = async () => {
    trainer.close();
    evaluator.close();
    await services.stop();
  };
  return { trainer, evaluator, stop };
}

test("a trainer and an evaluator whose disk is all but full refuse new work and write nothing, but tell what there is", async () => {
  await writeTinyModel(at("models/tiny"));
  await writeTinyScorer(at("models/scorer"));
  const roomy = await start(0);
  const { runId } = await createRun(roomy.trainer);
  await roomy.stop();
  const full = await start(TOO_MUCH);
  try {
    const before = [await readdir(at("runs"), { recursive: true }), await readdir(at("evaluations"))];
    expectFull(await failure(createRun(full.trainer, "another")), "RUNS_DIR", at("runs"));
    const { startIteration, getRun } = TrainerServiceService;
    const request = { requestId: "one", runId, spec: smallSpec("sft") };
    expectFull(await failure(full.trainer.call(startIteration, request)), "RUNS_DIR", at("runs"));
    const spec = EvaluationSpec.fromPartial({
      checkpoints: [{ label: "one", checkpoint: { modelName: "tiny" } }],
      prompts: { name: "emoji/winners", split: "test" },
      seeds: [1n],
      sampler: { numSteps: 2, guidanceScale: 1 },
      scorers: ["scorer"],
    });
    const { startEvaluation } = EvaluatorServiceService;
    const evaluation = full.evaluator.call(startEvaluation, { requestId: "one", spec, resume: undefined });
    expectFull(await failure(evaluation), "EVALUATIONS_DIR", at("evaluations"));
    expect(await createRun(full.trainer)).toMatchObject({ runId }); // A repeated request is no new work.
    expect((await full.trainer.call(getRun, { runId })).iterations).toEqual([]);
    expect([await readdir(at("runs"), { recursive: true }), await readdir(at("evaluations"))]).toEqual(before);
  } finally {
    await full.stop();
  }
}, 60_000);

test("a generator whose disk is all but full fetches no checkpoint, and goes on with those that it has", async () => {
  await writeTinyModel(at("models/tiny"));
  await writeTinyModel(at("trainer/tuned"), { seed: 2n });
  const checkpoints = await startCheckpointServer(at("trainer/tuned"));
  const generator = await startTinyGenerator(folder(), {
    minFreeDiskMb: TOO_MUCH,
    checkpointAddress: checkpoints.address,
  });
  const render = async (checkpoint: { digest?: string; modelName?: string }) => {
    const request = RenderImagesRequest.fromPartial({
      checkpoint,
      items: [{ caption: { $case: "prompt", value: "a cat" }, seed: 1n }],
      sampler: { numSteps: 2, guidanceScale: 1 },
      height: TINY_IMAGE_SIZE,
      width: TINY_IMAGE_SIZE,
      format: 1,
    });
    let pictures = 0;
    for await (const _ of generator.channel.stream(GeneratorServiceService.renderImages, request)) pictures += 1;
    return pictures;
  };
  try {
    expectFull(await failure(render({ digest: checkpoints.digest })), "CACHE_DIR", at("cache"));
    expect(checkpoints.reads).toEqual([]);
    expect(await render({ modelName: "tiny" })).toBe(1);
    expect((await readdir(at("cache"), { recursive: true })).filter((name) => name.endsWith(".safetensors"))).toEqual(
      [],
    );
  } finally {
    await generator.close();
    await checkpoints.close();
  }
}, 60_000);
