import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep } from "../../../core/service/deadline.js";

const MAIN = (service: string) => fileURLToPath(new URL(`../../../dist/${service}/main.js`, import.meta.url));
const PRELOAD = fileURLToPath(new URL("../../support/process-faults.mjs", import.meta.url));
/** Before a process that ended by itself is started again. */
const RESTART_MS = 250;
/** Last words that are kept of a process, in characters. */
const WORDS = 20_000;

/** What goes wrong inside a process; see process-faults.mjs. */
export interface InnerFaults {
  readonly disk?: "ENOSPC" | "EIO";
  readonly kill?: { readonly operation: string; readonly nth: number };
  readonly clockSeconds?: number;
}

export interface FaultyProcessOptions {
  readonly service: "generator" | "trainer";
  /** What it keeps lies below; the disk faults are this folder's. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A service in a process of its own, on a port of its own, that an orchestrator starts again whenever it has ended. */
export class FaultyProcess {
  readonly #options: FaultyProcessOptions;
  readonly #switch: string;
  #child: ChildProcess;
  #stopped: boolean = false;
  /** While somebody else starts it again. */
  #held: boolean = false;
  #inner: InnerFaults = {};
  output = "";

  constructor(options: FaultyProcessOptions) {
    this.#options = options;
    this.#switch = join(options.folder, "faults.json");
    mkdirSync(options.folder, { recursive: true });
    this.#child = this.#start();
  }

  /** SIGKILL; it is started again after the delay. @param meanwhile is done while it is down */
  async kill(delayMs: number, meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    if (this.#held) return; // Somebody has killed it just now.
    this.#held = true;
    this.#child.kill("SIGKILL");
    await this.#ended();
    await meanwhile();
    await sleep(delayMs);
    this.#held = false;
    if (!this.#stopped) this.#child = this.#start();
  }

  /** SIGSTOP, and SIGCONT after a while. */
  async pause(ms: number): Promise<void> {
    const child = this.#child;
    child.kill("SIGSTOP");
    await sleep(ms);
    child.kill("SIGCONT");
  }

  /** Switches faults inside it on or off. */
  set(change: InnerFaults): void {
    this.#inner = { ...this.#inner, ...change };
    const unfinished = `${this.#switch}.new`;
    writeFileSync(unfinished, JSON.stringify(this.#inner));
    renameSync(unfinished, this.#switch);
  }

  /** Resolves once the process that is there now has ended. @returns whether it has, before the signal was aborted */
  async ended(signal: AbortSignal): Promise<boolean> {
    const child = this.#child;
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    while (!hasEnded() && !signal.aborted) await sleep(20);
    return hasEnded();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#child.kill("SIGKILL");
    await this.#ended();
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
  }

  #start(): ChildProcess {
    const { service, folder, env } = this.#options;
    const settings = { PATH: process.env.PATH, THREADS: "1", LOG_LEVEL: "warn", ...env };
    const faults = { FAULT_SWITCH: this.#switch, FAULT_FOLDER: `${folder}/` };
    const child = spawn(process.execPath, ["--import", PRELOAD, MAIN(service)], {
      cwd: dirname(dirname(dirname(MAIN(service)))),
      env: { ...settings, ...faults },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => (this.output = (this.output + String(data)).slice(-WORDS)));
    }
    child.once("exit", () => void this.#startAgain(child));
    return child;
  }

  async #startAgain(child: ChildProcess): Promise<void> {
    if (this.#inner.kill !== undefined) this.set({ kill: undefined }); // It has done its work.
    if (this.#held) return;
    await sleep(RESTART_MS);
    if (!this.#stopped && !this.#held && this.#child === child) this.#child = this.#start();
  }
}
