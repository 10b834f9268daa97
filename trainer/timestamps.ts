import type { Timestamp } from "../proto/gen/google/protobuf/timestamp.js";

/** Now, as messages carry it. */
export function timestampNow(): Timestamp {
  const ms = Date.now();
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

/** Milliseconds since the epoch; 0 where unset. */
export function millisecondsOf(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? 0 : Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6;
}
