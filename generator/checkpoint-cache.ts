import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { toIoError } from "../core/checkpoint/io-errors.js";
import { listModelFiles } from "../core/checkpoint/manifest.js";
import { SpinError } from "../core/errors.js";
import type { DiskRoom } from "../core/service/disk-room.js";

interface Held {
  readonly folder: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly used: number;
}

/**
 * Folders of fetched checkpoints by digest, bounded: the one that was used longest ago goes first, never one that is pinned.
 * The order of use survives a restart as the folders' modification times.
 */
export class CheckpointCache {
  readonly #root: string;
  readonly #maxBytes: number;
  readonly #disk: Pick<DiskRoom, "fullness"> | undefined;
  readonly #pins = new Map<string, number>();

  /**
   * @param root made when the first checkpoint comes
   * @param disk that holds it; undefined: it is never asked how much is free
   */
  constructor(root: string, maxBytes: number, disk?: Pick<DiskRoom, "fullness">) {
    this.#root = root;
    this.#maxBytes = maxBytes;
    this.#disk = disk;
  }

  /** Where a checkpoint lies, or would lie. */
  folder(digest: string): string {
    return join(this.#root, digest.replace("sha256:", ""));
  }

  /** Folders of all checkpoints held. */
  async folders(): Promise<string[]> {
    try {
      const names = await readdir(this.#root);
      return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => join(this.#root, name));
    } catch (error) {
      const known = toIoError(error, this.#root, "read");
      if (known.kind === "notFound") return [];
      throw known;
    }
  }

  /** Keeps a checkpoint from being removed until the returned function is called. */
  pin(digest: string): () => void {
    this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
    let isPinned = true;
    return () => {
      if (!isPinned) return;
      isPinned = false;
      const left = this.#pins.get(digest)! - 1;
      if (left > 0) this.#pins.set(digest, left);
      else this.#pins.delete(digest);
    };
  }

  /** Notes that a checkpoint was used just now. */
  async touch(digest: string): Promise<void> {
    const now = new Date();
    // A cache on a read-only disk still serves, only without an order.
    await utimes(this.folder(digest), now, now).catch(() => undefined);
  }

  async remove(digest: string): Promise<void> {
    await rm(this.folder(digest), { recursive: true, force: true });
  }

  /**
   * Makes room: removes what was used longest ago until so many more bytes fit.
   *
   * @param beside a folder being filled, whose files count too
   * @throws SpinError `exhausted` where they do not fit even then, the cache or the disk
   */
  async reserve(bytes: number, beside: string): Promise<void> {
    for (;;) {
      const held = await this.#held();
      const full = await this.#fullness(held, bytes, beside);
      if (full === undefined) return;
      const pinned = [...this.#pins.keys()].map((digest) => this.folder(digest));
      const [oldest] = held.filter(({ folder }) => !pinned.includes(folder)).sort((a, b) => a.used - b.used);
      if (oldest === undefined) throw full;
      await rm(oldest.folder, { recursive: true, force: true });
    }
  }

  /** Why so many bytes more do not fit; undefined where they do. */
  async #fullness(held: readonly Held[], bytes: number, beside: string): Promise<SpinError | undefined> {
    // Measured anew each time: what a removed folder shared with others is theirs alone afterwards.
    const total = held.reduce((sum, entry) => sum + entry.bytes, bytes + (await bytesOf(beside)));
    if (total > this.#maxBytes) {
      return new SpinError("exhausted", `${bytes} bytes more do not fit the cache of ${this.#maxBytes}`, {
        file: this.#root,
        remedy: "raise CACHE_BYTES, or wait until other checkpoints are no longer in use",
      });
    }
    return this.#disk?.fullness(bytes);
  }

  async #held(): Promise<Held[]> {
    const held: Held[] = [];
    for (const folder of await this.folders()) {
      held.push({ folder, bytes: await bytesOf(folder), used: (await stat(folder)).mtimeMs });
    }
    return held;
  }
}

/** Disk that a folder's files take: a file with several names counts in parts. */
async function bytesOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const path of await listModelFiles(folder)) {
    const { size, nlink } = await stat(join(folder, path));
    bytes += size / nlink;
  }
  return bytes;
}
