/** The largest divisor of a number that is not above a limit. */
export function largestDivisor(of: number, limit: number): number {
  let divisor = Math.min(of, limit);
  while (of % divisor !== 0) divisor -= 1;
  return divisor;
}
