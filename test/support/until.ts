/** Waits until the condition holds; fails after five seconds, so that a test that never gets there ends. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so after 5 s: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
