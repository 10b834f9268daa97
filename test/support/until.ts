/** Waits until the condition holds; fails after a while, so that a test that never gets there ends. */
export async function until(condition: () => boolean, ms = 5_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so after ${ms / 1000} s: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
