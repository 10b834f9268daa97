/** Work to be measured, ready to run. */
export interface Benchmark {
  run(): Promise<void>;
  /** What is run once before; `run` where not said. */
  warmUp?(): Promise<void>;
  /** Lets sessions go, which writes their profiles. */
  release(): Promise<void>;
}

/** Milliseconds of each repetition. */
export async function measure(
  { run }: Benchmark,
  repeats: number,
  onRepeat: (done: number) => void = () => undefined,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
    onRepeat(i + 1);
  }
  return times;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
