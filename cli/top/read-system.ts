import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { RpcChannel } from "../../core/service/client.js";
import { asSpinError } from "../../core/service/error-table.js";
import { JobState } from "../../proto/gen/spin/v1/common.js";
import { GeneratorServiceService } from "../../proto/gen/spin/v1/generator_service.js";
import { type Iteration, TrainerServiceService } from "../../proto/gen/spin/v1/trainer_service.js";
import type { StepMetrics } from "../../proto/gen/spin/v1/training.js";
import { isEnded } from "../remote/jobs.js";

/** A step and when it was told, in seconds since the epoch. */
export interface TimedStep {
  readonly metrics: StepMetrics;
  readonly seconds: number;
}

/** What a replica says of itself, or why it says nothing. */
export interface ReplicaState {
  readonly address: string;
  readonly device?: string;
  readonly waiting?: number;
  readonly active?: number;
  readonly problem?: string;
}

/** All that is shown. */
export interface SystemState {
  /** The newest iteration; undefined where there is none. */
  readonly iteration?: Iteration;
  /** Its last steps, oldest first. */
  readonly steps: readonly TimedStep[];
  readonly replicas: readonly ReplicaState[];
  /** Newest first. */
  readonly pictures: readonly string[];
}

/** Steps that rates are taken over. */
const WINDOW = 20;
const ASK_MS = 3_000;
const NEWEST_PICTURES = 3;

/** Follows the trainer's newest iteration and asks generators how they are. */
export class SystemReader {
  readonly #trainer: RpcChannel;
  readonly #generators: readonly RpcChannel[];
  readonly #pictures: string | undefined;
  readonly #signal: AbortSignal;
  #iteration: Iteration | undefined;
  #steps: TimedStep[] = [];
  /** Of the last event that was read. */
  #sequence = 0;
  #isFollowing = false;

  constructor(
    trainer: RpcChannel,
    generators: readonly RpcChannel[],
    pictures: string | undefined,
    signal: AbortSignal,
  ) {
    this.#trainer = trainer;
    this.#generators = generators;
    this.#pictures = pictures;
    this.#signal = signal;
  }

  /** @throws SpinError where the trainer does not answer */
  async read(): Promise<SystemState> {
    const [replicas, pictures] = await Promise.all([
      Promise.all(this.#generators.map((one) => this.#replica(one))),
      this.#pictures === undefined ? [] : newestPictures(this.#pictures),
      this.#newest(),
    ]);
    return { iteration: this.#iteration, steps: this.#steps, replicas, pictures };
  }

  async #newest(): Promise<void> {
    const options = { timeoutMs: ASK_MS, signal: this.#signal };
    let last: string | undefined;
    for (let pageToken = ""; ; ) {
      const page = await this.#trainer.call(TrainerServiceService.listRuns, { pageSize: 1000, pageToken }, options);
      last = page.runs.at(-1)?.runId ?? last;
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    if (last === undefined) return;
    const { iterations } = await this.#trainer.call(TrainerServiceService.getRun, { runId: last }, options);
    const working = iterations.findLast((one) => one.state === JobState.JOB_STATE_RUNNING) ?? iterations.at(-1);
    const isNew = working?.iterationId !== this.#iteration?.iterationId;
    if (isNew) [this.#steps, this.#sequence] = [[], 0];
    // A stream that was lost, as by a trainer that was restarted, is taken up where it broke off.
    const isLost = working !== undefined && !isEnded(working) && !this.#isFollowing;
    if (working !== undefined && (isNew || isLost)) await this.#follow(working);
    this.#iteration = working;
  }

  /** Reads what has happened so far, and goes on reading behind. */
  #follow({ iterationId, stepsDone, ...rest }: Iteration): Promise<void> {
    return new Promise((caughtUp) => {
      const watching = async () => {
        const request = { iterationId, afterSequence: this.#sequence };
        const options = { signal: this.#signal };
        for await (const { event, time, sequence } of this.#trainer.stream(
          TrainerServiceService.watchIteration,
          request,
          options,
        )) {
          this.#sequence = sequence;
          if (event?.$case !== "step") continue;
          const seconds = Number(time!.seconds) + time!.nanos / 1e9;
          this.#steps = [...this.#steps.slice(1 - WINDOW), { metrics: event.value, seconds }];
          if (event.value.step >= stepsDone) caughtUp();
        }
      };
      if (stepsDone === 0 && !isEnded(rest)) caughtUp();
      this.#isFollowing = true;
      const ended = () => {
        this.#isFollowing = false;
        caughtUp();
      };
      watching().then(ended, ended);
    });
  }

  async #replica(channel: RpcChannel): Promise<ReplicaState> {
    const { address } = channel;
    try {
      const options = { timeoutMs: ASK_MS, signal: this.#signal };
      const { generator } = await channel.call(GeneratorServiceService.getGenerator, {}, options);
      const { device, queueLength, activeBatches } = generator!;
      return { address, device, waiting: queueLength, active: activeBatches };
    } catch (error) {
      return { address, problem: asSpinError(error).message };
    }
  }
}

/** The newest pictures below a folder; none where it cannot be read. */
async function newestPictures(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const pictures = names.filter((name) => /\.(png|webp)$/.test(name)).map((name) => join(folder, name));
  const dated = await Promise.all(
    pictures.map(async (path) => ({
      path,
      time: await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    })),
  );
  return dated
    .sort((a, b) => b.time - a.time)
    .slice(0, NEWEST_PICTURES)
    .map(({ path }) => path);
}
