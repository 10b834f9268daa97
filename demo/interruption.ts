import { SpinError } from "../core/errors.js";

/**
 * Rejects on Ctrl-C or SIGTERM, so that whoever races it stops what was started. A second signal ends the process at
 * once, as it would without this.
 * @throws SpinError "cancelled"
 */
export function interruption(): Promise<never> {
  const interrupted = new Promise<never>((_, reject) => {
    const onSignal = () => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      reject(new SpinError("cancelled", "interrupted", { remedy: "the same command goes on where it stopped" }));
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  });
  interrupted.catch(() => undefined); // whoever works races it
  return interrupted;
}
