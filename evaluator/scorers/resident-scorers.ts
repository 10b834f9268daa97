import { SpinError } from "../../core/errors.js";
import type { SessionOptions } from "../../core/graph/session.js";
import type { OpenedScorer } from "./open-scorer.js";
import type { Scorer } from "./scorer.js";

/** Weights of loaded scorers that may be there at once; one alone may have more. Sessions take up to twice as much. */
export const RESIDENT_BYTES = 4 * 2 ** 30;

interface Entry {
  readonly digest: string;
  readonly opened: OpenedScorer;
  readonly session: SessionOptions;
  scorer?: Scorer;
}

/** The scorers that a worker knows: loaded when they are first asked, let go of when others need the room, longest unused first. */
export class ResidentScorers {
  readonly #limit: number;
  /** By name, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();

  constructor(limit: number = RESIDENT_BYTES) {
    this.#limit = limit;
  }

  /** Makes a scorer known. The one that had its name stays, loaded as it is, where the digest is the same. */
  async put(name: string, digest: string, opened: OpenedScorer, session: SessionOptions): Promise<void> {
    const present = this.#entries.get(name);
    if (present?.digest === digest) return;
    this.#entries.delete(name);
    await present?.scorer?.release();
    this.#entries.set(name, { digest, opened, session });
  }

  /** The scorer of a name, loaded. @throws SpinError of any kind that loading meets */
  async get(name: string): Promise<Scorer> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new SpinError("internal", `the scorer ${name} was not opened`);
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (entry.scorer === undefined) {
      await this.#makeRoom(entry.opened.weightBytes);
      entry.scorer = await entry.opened.load(entry.session);
    }
    return entry.scorer;
  }

  /** Names of those that are loaded, longest unused first. */
  loaded(): string[] {
    return [...this.#entries].filter(([, { scorer }]) => scorer !== undefined).map(([name]) => name);
  }

  async #makeRoom(needed: number): Promise<void> {
    const loaded = [...this.#entries.values()].filter(({ scorer }) => scorer !== undefined);
    let taken = loaded.reduce((sum, { opened }) => sum + opened.weightBytes, 0);
    for (const entry of loaded) {
      if (taken + needed <= this.#limit) return;
      const { scorer } = entry;
      delete entry.scorer;
      await scorer?.release();
      taken -= entry.opened.weightBytes;
    }
  }
}
