import { RpcChannel } from "../../core/service/client.js";
import { sleep } from "../../core/service/deadline.js";
import { asSpinError } from "../../core/service/error-table.js";
import { openCaller } from "../remote/caller.js";
import { SystemReader } from "./read-system.js";
import { renderTop, summarize } from "./render.js";

export interface TopOptions {
  readonly trainer: string;
  readonly generator?: readonly string[];
  readonly pictures?: string;
  /** Seconds between two looks. */
  readonly interval: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

const CONNECT_MS = 5_000;
/** Kinds of errors that another look may not meet again. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "cancelled", "exhausted"]);

/** Shows a running system until Ctrl-C, or once. On a terminal the picture is drawn anew, elsewhere written one below the other. */
export async function top({ trainer, generator = [], pictures, interval, once, json }: TopOptions): Promise<void> {
  const caller = await openCaller();
  const channels = [trainer, ...generator].map((address) => new RpcChannel(address, { caller }));
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  try {
    await channels[0]!.waitForReady(CONNECT_MS);
    const reader = new SystemReader(channels[0]!, channels.slice(1), pictures, stop.signal);
    const clear = process.stdout.isTTY && !once && !json ? "\x1b[H\x1b[2J" : "";
    for (let looks = 0; !stop.signal.aborted; looks++) {
      try {
        const summary = summarize(await reader.read());
        process.stdout.write(json ? `${JSON.stringify(summary)}\n` : `${clear}${renderTop(summary)}`);
      } catch (error) {
        const { kind, message } = asSpinError(error);
        // One that has answered before is being restarted, or the network fails: it may be back.
        if (looks === 0 || stop.signal.aborted || !PASSING.has(kind)) throw error;
        process.stdout.write(json ? `${JSON.stringify({ problem: message })}\n` : `${clear}no answer: ${message}\n`);
      }
      if (once) break;
      await sleep(interval * 1000, stop.signal).catch(() => undefined);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error; // Ctrl-C is how one leaves.
  } finally {
    stop.abort();
    process.removeListener("SIGINT", interrupt);
    for (const channel of channels) channel.close();
  }
}
