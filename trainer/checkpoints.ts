import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { saveFile } from "../core/checkpoint/atomic-file.js";
import { toIoError } from "../core/checkpoint/io-errors.js";
import { type Manifest, readManifest } from "../core/checkpoint/manifest.js";
import { namesIn } from "../core/checkpoint/presence.js";
import { SpinError } from "../core/errors.js";
import { readJsonFile } from "../core/json-config.js";
import { asSpinError } from "../core/service/error-table.js";
import type { Logger } from "../core/service/logging.js";
import type { Checkpoint } from "../proto/gen/spin/v1/checkpoint.js";
import { LINEAGE_FILE, type Lineage, lineageJson, parseLineage } from "./lineage.js";
import { millisecondsOf } from "./timestamps.js";

/** A checkpoint on this trainer's disk. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly manifest: Manifest;
  /** A diffusers folder. */
  readonly folder: string;
}

/** Hidden folders are saves under way, or what a crash left of them. */
const INCOMING = ".incoming-";

/** The checkpoints of all runs, each at `<runsDir>/<run>/checkpoints/<64 digits of its digest>`. */
export class Checkpoints {
  readonly #runsDir: string;
  readonly #stored: StoredCheckpoint[] = [];

  private constructor(runsDir: string) {
    this.#runsDir = runsDir;
  }

  /** Finds what earlier processes wrote. What is damaged is logged and left alone. @throws SpinError "exhausted" where the disk fails */
  static async open(runsDir: string, runIds: readonly string[], log: Logger): Promise<Checkpoints> {
    const checkpoints = new Checkpoints(runsDir);
    for (const runId of runIds) {
      const parent = checkpoints.#parent(runId);
      for (const name of await namesIn(parent)) {
        const folder = join(parent, name);
        if (name.startsWith(".")) await rm(folder, { recursive: true, force: true });
        else {
          await load(folder).then(
            (stored) => checkpoints.#stored.push(stored),
            (error: unknown) => {
              if (asSpinError(error).kind === "exhausted") throw error; // The disk failed: it may be there another time.
              log.warn({ err: error, folder }, "checkpoint left out");
            },
          );
        }
      }
    }
    checkpoints.#stored.sort((a, b) => age(a) - age(b));
    return checkpoints;
  }

  /** Oldest first. @param runId only those of this run; empty: of all */
  list(runId = ""): readonly StoredCheckpoint[] {
    return this.#stored.filter(({ checkpoint }) => runId === "" || checkpoint.runId === runId);
  }

  find(digest: string): StoredCheckpoint | undefined {
    return this.#stored.find(({ manifest }) => manifest.digest === digest);
  }

  /** @throws SpinError "notFound" */
  get(digest: string): StoredCheckpoint {
    const stored = this.find(digest);
    if (stored !== undefined) return stored;
    throw new SpinError("notFound", `this trainer has no checkpoint ${digest}`, {
      field: "digest",
      remedy: "ListCheckpoints tells those it has",
    });
  }

  /** Where to write a checkpoint that is to be published. */
  incoming({ runId, iterationId, step }: Checkpoint): string {
    return join(this.#parent(runId), `${INCOMING}${iterationId}-${step}`);
  }

  /** Moves a written checkpoint to its place, where readers see it whole; the same weights again only change the lineage. */
  async publish(lineage: Lineage, manifest: Manifest): Promise<Checkpoint> {
    const size = BigInt(manifest.files.reduce((sum, file) => sum + file.size, 0));
    const checkpoint = { ...lineage.checkpoint, digest: manifest.digest, size };
    const folder = join(this.#parent(checkpoint.runId), manifest.digest.slice("sha256:".length));
    const incoming = this.incoming(checkpoint);
    const twin = this.#stored.findIndex((stored) => stored.folder === folder);
    try {
      if (twin < 0) await rename(incoming, folder);
      else {
        await saveFile(join(folder, LINEAGE_FILE), lineageJson(lineage));
        await rm(incoming, { recursive: true });
        this.#stored.splice(twin, 1);
      }
    } catch (error) {
      throw toIoError(error, folder, "write");
    }
    this.#stored.push({ checkpoint, manifest, folder });
    return checkpoint;
  }

  #parent(runId: string): string {
    return join(this.#runsDir, runId, "checkpoints");
  }
}

async function load(folder: string): Promise<StoredCheckpoint> {
  const manifest = await readManifest(folder);
  const file = join(folder, LINEAGE_FILE);
  const size = BigInt(manifest.files.reduce((sum, { size }) => sum + size, 0));
  const checkpoint = { ...parseLineage(await readJsonFile(file), file), digest: manifest.digest, size };
  return { checkpoint, manifest, folder };
}

function age({ checkpoint }: StoredCheckpoint): number {
  return millisecondsOf(checkpoint.createTime);
}
