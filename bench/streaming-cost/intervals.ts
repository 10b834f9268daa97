/** From a time to a later one. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

/** Sum of lengths; what lies in two of them counts twice. */
export function totalLength(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { start, end }) => sum + (end - start), 0);
}

/** Length of the time that lies in some interval of `a` and in some of `b`. */
export function commonLength(a: readonly Interval[], b: readonly Interval[]): number {
  const [left, right] = [merged(a), merged(b)];
  let common = 0;
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    common += Math.max(0, Math.min(left[i]!.end, right[j]!.end) - Math.max(left[i]!.start, right[j]!.start));
    if (left[i]!.end < right[j]!.end) i += 1;
    else j += 1;
  }
  return common;
}

/** The same time in intervals that do not overlap, in order. */
function merged(intervals: readonly Interval[]): Interval[] {
  const result: { start: number; end: number }[] = [];
  for (const { start, end } of [...intervals].sort((one, other) => one.start - other.start)) {
    const last = result.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
}
