import { join } from "node:path";
import { FolderDigests } from "../core/checkpoint/folder-digests.js";
import { MODEL_INDEX } from "../core/checkpoint/model-index.js";
import { entriesIn, isFile } from "../core/checkpoint/presence.js";
import { containedPath } from "../core/contained-path.js";
import { SpinError } from "../core/errors.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type { Checkpoints } from "./checkpoints.js";

/** Folders below MODEL_DIR that are searched for a digest: `<owner>/<name>` is the deepest. */
const SEARCH_DEPTH = 2;

/** Models to begin with: under MODEL_DIR, and the trainer's own checkpoints. */
export class BaseModels {
  readonly #modelDir: string;
  readonly #checkpoints: Checkpoints;
  readonly #digests = new FolderDigests();

  constructor(modelDir: string, checkpoints: Checkpoints) {
    this.#modelDir = modelDir;
    this.#checkpoints = checkpoints;
  }

  /**
   * The folder of a model, and the reference with its digest filled in. A digest that is named is compared with the files.
   * @throws SpinError "notFound" for an unknown name or digest, "precondition" or "corrupt" for files of another digest
   */
  async find(ref: CheckpointRef): Promise<{ folder: string; ref: CheckpointRef }> {
    if (ref.modelName !== "") return this.#named(ref);
    const own = this.#checkpoints.find(ref.digest);
    if (own !== undefined) {
      const { digest } = await this.#digests.manifest(own.folder);
      if (digest === ref.digest) return { folder: own.folder, ref };
      throw new SpinError("corrupt", `${own.folder} has the digest ${digest}, expected ${ref.digest}`, {
        file: own.folder,
        remedy: "restore it from a copy, or begin a new run",
      });
    }
    for (const folder of await pipelinesBelow(this.#modelDir, SEARCH_DEPTH)) {
      if ((await this.#digests.manifest(folder)).digest === ref.digest) return { folder, ref };
    }
    throw new SpinError("notFound", `no model with the digest ${ref.digest} is under ${this.#modelDir}`, {
      field: "base.digest",
      remedy: "put the model's folder there, or name another",
    });
  }

  /** Where a model lies, without a look at its files; undefined for one that only its digest tells. @throws SpinError as `containedPath` */
  async locate({ digest, modelName }: CheckpointRef): Promise<string | undefined> {
    if (modelName !== "") return containedPath(this.#modelDir, modelName, { field: "base.model_name" });
    return this.#checkpoints.find(digest)?.folder;
  }

  async #named({ digest, modelName }: CheckpointRef): Promise<{ folder: string; ref: CheckpointRef }> {
    const folder = await containedPath(this.#modelDir, modelName, { field: "base.model_name" });
    const found = (await this.#digests.manifest(folder)).digest;
    if (digest === "" || digest === found) return { folder, ref: { digest: found, modelName } };
    throw new SpinError("precondition", `${folder} has the digest ${found}, expected ${digest}`, {
      field: "base.digest",
      remedy: "name the digest of the model that is there, or put the right model there",
    });
  }
}

/** Folders that hold a whole pipeline. */
async function pipelinesBelow(folder: string, depth: number): Promise<string[]> {
  if (await isFile(join(folder, MODEL_INDEX))) return [folder];
  if (depth === 0) return [];
  const entries = await entriesIn(folder);
  const below = entries.filter((entry) => !entry.isFile() && !entry.name.startsWith("."));
  return (await Promise.all(below.map(({ name }) => pipelinesBelow(join(folder, name), depth - 1)))).flat();
}
