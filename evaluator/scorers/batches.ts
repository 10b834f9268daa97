import { cancelled } from "../../core/runtime/worker-host.js";

/** Rows of a run of small models, and of those whose one picture keeps all cores of a CPU busy. */
const SMALL_BATCH = 16;
const LARGE_BATCH = 4;
const LARGE_PARAMETERS = 100_000_000;

/** Rows that a model of so many parameters is run with. */
export function batchSize(parameters: number, device: string | undefined): number {
  const isOnCpu = device === undefined || device === "cpu";
  return isOnCpu && parameters > LARGE_PARAMETERS ? LARGE_BATCH : SMALL_BATCH;
}

/**
 * Runs items in batches of one size, the last filled up with repetitions of its last item: rounding then never depends on how many there are.
 *
 * @param run gives [batch, width] values for a batch.
 * @returns [items, width]
 * @throws SpinError `cancelled` between two batches once the signal is aborted
 */
export async function inBatches<T>(
  items: readonly T[],
  batch: number,
  run: (items: readonly T[]) => Promise<Float32Array>,
  signal?: AbortSignal,
): Promise<Float32Array> {
  let all = new Float32Array(0);
  for (let start = 0; start < items.length; start += batch) {
    if (signal?.aborted) throw cancelled("scoring");
    const count = Math.min(batch, items.length - start);
    const rows = Array.from({ length: batch }, (_, i) => items[start + Math.min(i, count - 1)]!);
    const values = await run(rows);
    const width = values.length / batch;
    if (all.length === 0) all = new Float32Array(items.length * width);
    all.set(values.subarray(0, count * width), start * width);
  }
  return all;
}
