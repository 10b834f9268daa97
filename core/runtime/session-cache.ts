import { SpinError } from "../errors.js";
import type { Session } from "../graph/session.js";

interface Entry {
  readonly session: Promise<Session>;
  /** Runs under way; a session in use is never released. */
  users: number;
}

/**
 * Compiled sessions by key. Shapes are part of a graph here, so each batch shape has a session of its own, made when it is first
 * needed; past `capacity` the one that was idle longest is released.
 */
export class SessionCache {
  #capacity: number;
  // In order of last use.
  readonly #entries = new Map<string, Entry>();

  /** @param capacity 1 or more */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Number of sessions held. */
  get size(): number {
    return this.#entries.size;
  }

  /** Runs `run` on the session under `key`, which `create` makes where there is none. */
  async use<T>(key: string, create: () => Promise<Session>, run: (session: Session) => Promise<T>): Promise<T> {
    if (this.#capacity === 0) throw new SpinError("internal", `the model was released, "${key}" cannot run`);
    const entry = this.#entries.get(key) ?? { session: create(), users: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users += 1;
    try {
      return await run(await entry.session);
    } catch (error) {
      // What could not be compiled is tried afresh, not remembered.
      await entry.session.catch(() => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      });
      throw error;
    } finally {
      entry.users -= 1;
      await this.#shrink();
    }
  }

  /** Releases all sessions: idle ones now, others when their runs end. */
  async release(): Promise<void> {
    this.#capacity = 0;
    await this.#shrink();
  }

  async #shrink(): Promise<void> {
    for (const [key, { session, users }] of this.#entries) {
      if (this.#entries.size <= this.#capacity) return;
      if (users > 0) continue;
      this.#entries.delete(key);
      await (await session).release();
    }
  }
}
