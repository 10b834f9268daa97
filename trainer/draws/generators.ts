import { promises as dns, type LookupAddress } from "node:dns";
import { SpinError } from "../../core/errors.js";
import { RpcChannel } from "../../core/service/client.js";
import { sleep } from "../../core/service/deadline.js";
import { Caller } from "../../core/service/doors/caller.js";
import { hostOf } from "../../core/service/doors/loopback.js";
import { asSpinError } from "../../core/service/error-table.js";
import type { Logger } from "../../core/service/logging.js";
import { type Generator, GeneratorServiceService } from "../../proto/gen/spin/v1/generator_service.js";

/** Time for one replica to say what it is. */
const ASK_TIMEOUT_MS = 5_000;
/** Pause before all are asked again. */
const ASK_AGAIN_MS = 500;

export interface GeneratorsOptions {
  /** How the replicas are known, and who calls them. Default: no TLS, no token. */
  readonly caller?: Caller;
  /** `host:port` for every address of a name. Default: the system's resolver. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
  /** How often names are looked up again, for replicas that joined or left. Default: every 5 seconds. */
  readonly pollMs?: number;
}

/**
 * The generators' replicas: every address of every configured name, each with a channel of its own. A channel over all
 * of them would hide which replica is slow or wrong.
 */
export class Generators {
  readonly #names: readonly string[];
  readonly #log: Logger;
  readonly #lookup: Required<GeneratorsOptions>;
  readonly #channels = new Map<string, RpcChannel>();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #polling: Promise<void> = Promise.resolve();

  private constructor(names: readonly string[], log: Logger, options: GeneratorsOptions) {
    this.#names = names;
    this.#log = log;
    this.#lookup = { caller: Caller.anonymous(), resolve: addressesOf, pollMs: 5_000, ...options };
  }

  /** @param names as `generator:50051`; a name may stand for many addresses */
  static async connect(names: readonly string[], log: Logger, options: GeneratorsOptions = {}): Promise<Generators> {
    const generators = new Generators(names, log, options);
    await generators.#resolve();
    generators.#polling = generators.#poll();
    return generators;
  }

  /** A channel per replica that is known now. */
  get channels(): readonly RpcChannel[] {
    return [...this.#channels.values()];
  }

  /** Calls back when replicas joined or left. @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What the first replica (in the order of the addresses) that answers says of itself.
   * @throws SpinError "unavailable" with each one's reason where none answers within `patienceMs`
   */
  async first(patienceMs: number, signal: AbortSignal): Promise<Generator> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const answers = await Promise.allSettled(
        this.channels.map(async (channel) => {
          const options = { timeoutMs: ASK_TIMEOUT_MS, signal };
          return (await channel.call(GeneratorServiceService.getGenerator, {}, options)).generator!;
        }),
      );
      const found = answers.find((answer) => answer.status === "fulfilled");
      if (found !== undefined) return found.value;
      if (performance.now() >= end) {
        const reasons = answers.flatMap((answer) =>
          answer.status === "rejected" ? [asSpinError(answer.reason).message] : [],
        );
        const message = `no generator at ${this.#names.join(", ")} has answered for ${patienceMs / 1000} s`;
        const remedy = "start a generator, or set the trainer's GENERATOR_ADDRESS";
        throw new SpinError("unavailable", [message, ...reasons].join("; "), { remedy });
      }
      await sleep(ASK_AGAIN_MS, signal);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#polling;
    for (const channel of this.#channels.values()) channel.close();
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(this.#lookup.pollMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.#resolve();
    }
  }

  /** Looks all names up; one that cannot be looked up keeps the addresses it had. */
  async #resolve(): Promise<void> {
    /** Each address with the host that it was found by, which its certificate names. */
    const found = new Map<string, string>();
    let complete = true;
    for (const name of this.#names) {
      try {
        for (const address of await this.#lookup.resolve(name)) found.set(address, hostOf(name));
      } catch (error) {
        complete = false;
        this.#log.warn({ err: error, name }, "generator's name cannot be looked up");
      }
    }
    const joined = [...found.keys()].filter((address) => !this.#channels.has(address));
    const left = complete ? [...this.#channels.keys()].filter((address) => !found.has(address)) : [];
    const { caller } = this.#lookup;
    for (const address of joined) {
      this.#channels.set(address, new RpcChannel(address, { caller, serverName: found.get(address) }));
    }
    for (const address of left) {
      this.#channels.get(address)!.close();
      this.#channels.delete(address);
    }
    if (joined.length + left.length === 0) return;
    this.#log.info({ joined, left }, "generators");
    for (const listener of this.#listeners) listener();
  }
}

/** `host:port` for every address of a name. */
async function addressesOf(name: string): Promise<string[]> {
  const colon = name.lastIndexOf(":");
  const [host, port] = [name.slice(0, colon).replace(/^\[|\]$/g, ""), name.slice(colon + 1)];
  const all = await dns.lookup(host, { all: true });
  // A host with both families is one host: asked by each, it would count twice.
  const four = all.filter(({ family }) => family === 4);
  return (four.length > 0 ? four : all).map(({ address, family }: LookupAddress) =>
    family === 6 ? `[${address}]:${port}` : `${address}:${port}`,
  );
}
