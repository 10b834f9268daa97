import { RpcChannel } from "../../core/service/client.js";
import { HealthService } from "../../proto/gen/grpc/health/v1/health.js";

/** How long answers took, in milliseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Pause between two questions, in milliseconds. */
const PAUSE_MS = 5;

/** Asks the replicas for their health in turn, one question at a time, each on a connection that is there or on a new one. */
export async function askHealth(addresses: readonly string[], checks: number, isNew: boolean): Promise<Latencies> {
  const open = isNew ? [] : addresses.map((address) => new RpcChannel(address));
  await Promise.all(open.map((channel) => channel.waitForReady(60_000)));
  const took: number[] = [];
  for (let i = 0; i < checks; i++) {
    const start = performance.now();
    const channel = isNew ? new RpcChannel(addresses[i % addresses.length]!) : open[i % open.length]!;
    await channel.call(HealthService.check, { service: "" });
    took.push(performance.now() - start);
    if (isNew) channel.close();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  for (const channel of open) channel.close();
  return summarize(took);
}

/** @param took one or more, in any order */
export function summarize(took: readonly number[]): Latencies {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1)! };
}
