import { RpcChannel } from "../../core/service/client.js";
import { sleep } from "../../core/service/deadline.js";
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
    while (!stop.signal.aborted) {
      const summary = summarize(await reader.read());
      const isDrawn = process.stdout.isTTY && !once && !json;
      if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
      else process.stdout.write(`${isDrawn ? "\x1b[H\x1b[2J" : ""}${renderTop(summary)}`);
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
