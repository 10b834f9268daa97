import type { EventEmitter } from "node:events";
import type { Logger } from "./logging.js";

/** Time for the whole of a shutdown, in milliseconds. Container engines kill after 10 s by default. */
const LIMIT_MS = 9_000;

/**
 * Runs `stop` once, on the first SIGTERM or SIGINT, then ends the process: with 0, or with 1 where `stop` failed or
 * took too long. A second signal ends it at once.
 */
export function stopOnSignal(
  stop: () => Promise<void>,
  log: Logger,
  source: EventEmitter = process,
  exit: (code: number) => void = process.exit,
): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) {
      log.warn({ signal }, "second signal: leaving at once");
      return exit(1);
    }
    stopping = true;
    log.info({ signal }, "stopping");
    setTimeout(() => {
      log.error(`not stopped within ${LIMIT_MS / 1000} s: leaving`);
      exit(1);
    }, LIMIT_MS).unref();
    stop().then(
      () => exit(0),
      (error: unknown) => {
        log.error({ err: error }, "stopping failed");
        exit(1);
      },
    );
  };
  source.on("SIGTERM", onSignal);
  source.on("SIGINT", onSignal);
}
