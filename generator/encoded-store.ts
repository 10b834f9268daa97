import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sha256Digest } from "../core/canonical-json.js";
import { openSafetensors } from "../core/checkpoint/safetensors.js";
import { writeSafetensors } from "../core/checkpoint/write-safetensors.js";
import { freeBytes } from "../core/free-disk.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";

/** Where encoded captions and pictures outlive the process. */
export interface EncodedDisk {
  readonly folder: string;
  /** Most bytes of files. */
  readonly maxBytes: number;
  /** With fewer bytes free on the disk, nothing more is kept there. */
  readonly minFreeBytes: number;
  /** Digest of the fingerprint that they are computed under: another one may round otherwise. */
  readonly fingerprint: string;
}

/** What is kept of a caption or a picture: some tensors by name. */
export type EncodedTensors = Readonly<Record<string, FloatTensor>>;

/** Under which a file's own metadata tell the digest of what is in it. */
const CONTENT = "content_digest";
/** Share of the bound that is left once room was made, so that not every new file asks for it again. */
const LEFT_AFTER_CLEARING = 0.9;

/**
 * Encoded captions and pictures on disk, one safetensors file each, below the digest of everything that they depend on. What an interrupted run has
 * encoded, the next one finds. Over the bound those go first that were used longest ago. A file that is damaged, or a disk that is full,
 * costs time alone: the result is computed.
 */
export class EncodedStore {
  readonly #disk: EncodedDisk;
  #bytes: number;

  private constructor(disk: EncodedDisk, bytes: number) {
    this.#disk = disk;
    this.#bytes = bytes;
  }

  /** Counts what earlier processes left, and takes away what they had not finished. */
  static async open(disk: EncodedDisk): Promise<EncodedStore> {
    const files = await filesBelow(disk.folder);
    for (const { path } of files.filter((file) => !file.path.endsWith(".safetensors"))) await rm(path, { force: true });
    return new EncodedStore(disk, sum(files.filter((file) => file.path.endsWith(".safetensors"))));
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param key tells what was encoded, how, and by which model */
  async get(key: string): Promise<EncodedTensors | undefined> {
    const path = this.#path(key);
    try {
      const file = await openSafetensors(path);
      const tensors: Record<string, FloatTensor> = {};
      for (const [name, { shape }] of file.tensors) tensors[name] = { shape, data: await file.readFloat32(name) };
      // A flipped bit of a latent is a number like any other.
      if (file.metadata.get(CONTENT) !== contentOf(tensors)) return undefined;
      const now = new Date();
      await utimes(path, now, now).catch(() => undefined);
      return tensors;
    } catch {
      return undefined;
    }
  }

  async set(key: string, tensors: EncodedTensors): Promise<void> {
    const path = this.#path(key);
    const entries = Object.entries(tensors).map(
      ([name, { shape, data }]) => ({ name, dtype: "F32", shape, data }) as const,
    );
    // Replicas may share the folder: each writes under a name of its own, and the last of equals wins.
    const temporary = `${path}.${randomUUID()}`;
    try {
      if ((await freeBytes(this.#disk.folder)) < this.#disk.minFreeBytes) return;
      await mkdir(join(path, ".."), { recursive: true });
      await writeSafetensors(temporary, entries, { [CONTENT]: contentOf(tensors) });
      const { size } = await stat(temporary);
      await rename(temporary, path);
      this.#bytes += size;
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
    if (this.#bytes > this.#disk.maxBytes) await this.#clear();
  }

  async #clear(): Promise<void> {
    const files = (await filesBelow(this.#disk.folder)).sort((a, b) => a.mtimeMs - b.mtimeMs);
    let bytes = sum(files);
    for (const { path, size } of files) {
      if (bytes <= LEFT_AFTER_CLEARING * this.#disk.maxBytes) break;
      await rm(path, { force: true });
      bytes -= size;
    }
    this.#bytes = bytes;
  }

  #path(key: string): string {
    const digest = sha256Digest(`${this.#disk.fingerprint} ${key}`).slice("sha256:".length);
    return join(this.#disk.folder, digest.slice(0, 2), `${digest}.safetensors`);
  }
}

/** Digest over names, shapes and values. */
function contentOf(tensors: EncodedTensors): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return `sha256:${hash.digest("hex")}`;
}

interface StoredFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** The files of a folder's folders; none where it does not exist. */
async function filesBelow(folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const part of await readdir(folder).catch(() => [])) {
    for (const name of await readdir(join(folder, part)).catch(() => [])) {
      const path = join(folder, part, name);
      // Another replica may have taken it away.
      const entry = await stat(path).catch(() => undefined);
      if (entry?.isFile()) files.push({ path, size: entry.size, mtimeMs: entry.mtimeMs });
    }
  }
  return files;
}

function sum(files: readonly StoredFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}
