import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SpinError } from "../errors.js";
import { compiled } from "./worker-client.js";
import type { ProcessMessage, WorkerMethods, WorkerResponse } from "./worker-protocol.js";

export interface GuardOptions {
  /** Milliseconds of computing without a sign of life after which the process is ended. Waiting for a disk is no computing. */
  readonly silentMs: number;
  /** Its heap; what it asks for beyond that ends it. */
  readonly heapMiB: number;
}

type Argument<M extends WorkerMethods, K extends keyof M> = Parameters<M[K]>[0];
type Result<M extends WorkerMethods, K extends keyof M> = Awaited<ReturnType<M[K]>>;

/** Looks at the process so often within `silentMs`: a machine that slept or stood still is one look, not a silence. */
const LOOKS = 10;
/** A process that nobody has asked for so long ends; the next call starts another. */
const IDLE_MS = 10_000;

/**
 * Work on bytes that may be made to do harm, in a process of its own: one that computes without end, or takes all memory, is ended and costs
 * its caller an error. (A thread will not do: what exhausts a worker's heap at one stroke ends the whole process.)
 * Calls are answered one after another. The process is started by the first call and keeps nothing alive.
 */
export class GuardedProcess<M extends WorkerMethods> {
  readonly #entry: URL;
  readonly #options: GuardOptions;
  #child: ChildProcess | undefined;
  /** The process that has said that it listens. */
  #ready: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #next = 0;
  #idle: NodeJS.Timeout | undefined;

  /** @param entry module that calls `serveProcess` */
  constructor(entry: URL, options: GuardOptions) {
    this.#entry = entry;
    this.#options = options;
  }

  /** The process's number while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Calls a method of the process.
   * @param lost makes the error for a process that has ended, or was, from a phrase as "ended with SIGABRT"
   * @throws what the method throws, or what `lost` makes
   */
  call<K extends keyof M & string>(
    method: K,
    argument: Argument<M, K>,
    lost: (how: string) => SpinError,
  ): Promise<Result<M, K>> {
    const answer = this.#last.then(() => this.#ask(method, argument, lost));
    this.#last = answer.catch(() => undefined);
    return answer as Promise<Result<M, K>>;
  }

  /** Ends the process, whatever it does. */
  end(): void {
    clearTimeout(this.#idle);
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  async #ask(method: string, argument: unknown, lost: (how: string) => SpinError): Promise<unknown> {
    clearTimeout(this.#idle);
    this.#child ??= this.#start();
    const child = this.#child;
    const id = this.#next++;
    child.ref();
    child.channel?.ref();
    let looks: NodeJS.Timeout | undefined;
    const leave: (() => void)[] = [];
    try {
      return await new Promise((resolve, reject) => {
        // How long a start takes says nothing of what is asked.
        let silent = this.#ready === child ? 0 : Number.NEGATIVE_INFINITY;
        const fail = (how: string) => {
          if (this.#child === child) this.end();
          reject(lost(how));
        };
        const onMessage = (message: ProcessMessage) => {
          silent = 0;
          this.#ready = child;
          if ("alive" in message || message.id !== id) return;
          settle(message, resolve, reject);
        };
        const onExit = (code: number | null, signal: string | null) => fail(`ended with ${signal ?? `code ${code}`}`);
        const onError = (error: Error) => fail(`could not be reached (${error.message})`);
        child.on("message", onMessage).once("exit", onExit).once("error", onError);
        leave.push(() => child.off("message", onMessage).off("exit", onExit).off("error", onError));
        looks = setInterval(() => {
          if (++silent > LOOKS) fail(`computed for ${this.#options.silentMs / 1000} s without coming to an end`);
        }, this.#options.silentMs / LOOKS);
        child.send({ type: "call", id, method, argument }, (error) => {
          if (error !== null) onError(error);
        });
      });
    } finally {
      clearInterval(looks);
      for (const off of leave) off();
      child.unref();
      child.channel?.unref();
      this.#idle = setTimeout(() => this.end(), IDLE_MS).unref();
    }
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(compiled(this.#entry)), {
      serialization: "advanced",
      execArgv: [`--max-old-space-size=${this.#options.heapMiB}`],
      // Nothing of what steers this process (loaders, tracing) is meant for that one.
      env: {},
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    // Between calls: the next one finds out.
    child.on("error", () => undefined);
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    return child;
  }
}

function settle(
  { value, error }: WorkerResponse,
  resolve: (value: unknown) => void,
  reject: (error: Error) => void,
): void {
  if (error === undefined) resolve(value);
  else reject(new SpinError(error.kind, error.message, error.details));
}
