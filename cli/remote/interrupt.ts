import { SpinError } from "../../core/errors.js";

/**
 * Watches work that goes on elsewhere: Ctrl-C ends the watching alone.
 * @param name what is watched
 * @throws SpinError "cancelled" that tells so
 */
export async function untilInterrupted<T>(name: string, watch: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once("SIGINT", interrupt);
  try {
    return await watch(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    const remedy = "the same command watches it again";
    throw new SpinError("cancelled", `${name} goes on without being watched`, { remedy });
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
