import { SpinError } from "../../../core/errors.js";
import { RpcChannel } from "../../../core/service/client.js";
import { sleep } from "../../../core/service/deadline.js";
import { JobState } from "../../../proto/gen/spin/v1/common.js";
import {
  type Iteration,
  TrainerServiceService,
  type WatchIterationResponse,
} from "../../../proto/gen/spin/v1/trainer_service.js";
import type { IterationSpec } from "../../../proto/gen/spin/v1/training.js";
import { createRun } from "../../support/trainer-client.js";
import { endOf } from "./journal.js";

/** Before a client asks again what could not be answered. */
const AGAIN_MS = 200;
/** More attempts at one iteration than any plan has reasons for. */
const MAX_ATTEMPTS = 50;
/** What a service that cannot do it now answers: nobody there, broken off, a disk that takes nothing. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "cancelled", "exhausted"]);

/** A client of the trainer that knows one thing alone: to ask again. It keeps all that it hears. */
export class StubbornClient {
  readonly #channel: RpcChannel;
  readonly #signal: AbortSignal;
  readonly heard = new Map<string, WatchIterationResponse[]>();

  /** @param signal ends the asking */
  constructor(address: string, signal: AbortSignal) {
    this.#channel = new RpcChannel(address);
    this.#signal = signal;
  }

  /** Creates the run, or finds it. */
  async createRun(): Promise<string> {
    return (await this.#again(() => createRun(this.#channel))).runId;
  }

  /** Starts an iteration, or finds the first attempt at it that has not failed. @returns it, as it is now */
  async startIteration(runId: string, name: string, spec: IterationSpec): Promise<Iteration> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const request = { requestId: `${name}.${attempt}`, runId, spec };
      const start = () => this.#channel.call(TrainerServiceService.startIteration, request);
      const { iteration } = await this.#again(start);
      if (iteration!.state !== JobState.JOB_STATE_FAILED) return iteration!;
    }
    throw new Error(`${name} has failed ${MAX_ATTEMPTS} times`);
  }

  /** Watches an iteration to its end, however often the watching is interrupted. @param onStep is told of each step */
  async watch(iterationId: string, onStep: (step: number) => void = () => undefined): Promise<Iteration> {
    const events = this.heard.get(iterationId) ?? [];
    this.heard.set(iterationId, events);
    const watch = async () => {
      const asked = { iterationId, afterSequence: events.at(-1)?.sequence ?? 0 };
      const options = { signal: this.#signal };
      for await (const event of this.#channel.stream(TrainerServiceService.watchIteration, asked, options)) {
        events.push(event);
        if (event.event?.$case === "step") onStep(event.event.value.step);
      }
    };
    for (;;) {
      await this.#again(watch);
      const end = endOf(events);
      if (end !== undefined) return end;
      await sleep(AGAIN_MS, this.#signal); // A stream that ends in order before the iteration: its trainer is stopping.
    }
  }

  close(): void {
    this.#channel.close();
  }

  async #again<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const isPassing = error instanceof SpinError && PASSING.has(error.kind);
        if (!isPassing || this.#signal.aborted) throw error;
        await sleep(AGAIN_MS, this.#signal);
      }
    }
  }
}
