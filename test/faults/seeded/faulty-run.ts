import { SpinError } from "../../../core/errors.js";
import { RpcChannel } from "../../../core/service/client.js";
import { sleep } from "../../../core/service/deadline.js";
import { JobState } from "../../../proto/gen/spin/v1/common.js";
import { TrainerServiceService, type WatchIterationResponse } from "../../../proto/gen/spin/v1/trainer_service.js";
import { createRun, smallSpec } from "../../support/trainer-client.js";
import type { Fault, PlannedFault } from "./plan.js";
import { type FaultyServices, startFaultyServices } from "./services.js";

/** Steps of the iteration that everything happens to. */
export const NUM_STEPS = 8;
/** Time for one run, in milliseconds. */
const LIMIT_MS = 420_000;

/** What became of a run. */
export interface RunOutcome {
  /** Digest of the final weights. */
  readonly digest: string;
  /** What the client saw, in order. */
  readonly events: readonly WatchIterationResponse[];
  readonly seconds: number;
}

/**
 * Runs one iteration while faults happen, as a client sees it that only knows to try again.
 * @throws Error with the services' last words where it does not come to its end
 */
export async function faultyRun(folder: string, modelDir: string, plan: readonly PlannedFault[]): Promise<RunOutcome> {
  const start = performance.now();
  const services = await startFaultyServices(folder, modelDir);
  const channel = new RpcChannel(services.trainerAddress);
  const afflictions: Promise<void>[] = [];
  try {
    const again = <T>(call: () => Promise<T>) => untilAnswered(call, start);
    const { runId } = await again(() => createRun(channel));
    const spec = smallSpec("spin", { numSteps: NUM_STEPS, checkpointInterval: 5 });
    const request = { requestId: "a", runId, spec };
    const { iteration } = await again(() => channel.call(TrainerServiceService.startIteration, request));
    const left = [...plan];
    const afflict = (step: number) => {
      while (left.length > 0 && left[0]!.afterStep <= step) afflictions.push(strike(services, left.shift()!.fault));
    };
    afflict(0);
    const events: WatchIterationResponse[] = [];
    const watch = async () => {
      const asked = { iterationId: iteration!.iterationId, afterSequence: events.at(-1)?.sequence ?? 0 };
      for await (const event of channel.stream(TrainerServiceService.watchIteration, asked)) {
        events.push(event);
        if (event.event?.$case === "step") afflict(event.event.value.step);
      }
    };
    while (!hasEnded(events)) await again(watch);
    const last = events.at(-1)!.event;
    if (last?.$case !== "stateChange" || last.value.state !== JobState.JOB_STATE_SUCCEEDED) {
      throw new Error(`it ended as ${JSON.stringify(last)}`);
    }
    return { digest: last.value.checkpointDigest, events, seconds: (performance.now() - start) / 1000 };
  } catch (error) {
    const words = [services.trainer.output, services.generator.output].join("\n— generator —\n");
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n— trainer —\n${words}`, {
      cause: error,
    });
  } finally {
    channel.close();
    await services.stop();
    await Promise.allSettled(afflictions);
  }
}

function hasEnded(events: readonly WatchIterationResponse[]): boolean {
  const last = events.at(-1)?.event;
  if (last?.$case !== "stateChange") return false;
  return last.value.state !== JobState.JOB_STATE_QUEUED && last.value.state !== JobState.JOB_STATE_RUNNING;
}

async function untilAnswered<T>(call: () => Promise<T>, start: number): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isPassing = error instanceof SpinError && ["unavailable", "cancelled"].includes(error.kind);
      if (!isPassing || performance.now() - start > LIMIT_MS) throw error;
      await sleep(250);
    }
  }
}

async function strike({ trainer, generator, network }: FaultyServices, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case "kill":
      return (fault.service === "trainer" ? trainer : generator).kill(fault.delayMs);
    case "pause":
      return (fault.service === "trainer" ? trainer : generator).pause(fault.forMs);
    case "cut":
      return network.cut();
    case "reset":
      return network.reset();
    case "latency":
      network.set({ latencyMs: 20 });
      break;
    case "slicer":
      network.set({ sliceBytes: 1000 });
      break;
    case "blackhole":
      network.set({ blackhole: true });
      break;
  }
  await sleep(fault.forMs);
  network.set({});
  // What was swallowed never comes: the connections that it is missing in are of no use any more.
  if (fault.kind === "blackhole") network.reset();
}
