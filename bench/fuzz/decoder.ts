import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** An input that a decoder is given. */
export interface FuzzInput {
  readonly bytes: Uint8Array;
  /** Number of the valid input that it was made from. */
  readonly seed: number;
  /** Folder of the decoder alone. */
  readonly folder: string;
  /** Writes the bytes below the folder. @returns the path */
  readonly file: (name?: string) => Promise<string>;
}

/** Something that reads bytes from outside. */
export interface Decoder {
  readonly name: string;
  /** Valid inputs, from which bad ones are made. @param cases folder of the golden cases */
  readonly seeds: (cases: string) => Promise<Uint8Array[]>;
  /** Reads all that there is to read. */
  readonly decode: (input: FuzzInput) => Promise<unknown>;
  /** Lets go of what it holds. */
  readonly end?: () => void;
}

/** Bytes as an input. @param folder is created where it is not there */
export function fuzzInput(bytes: Uint8Array, seed: number, folder: string): FuzzInput {
  return {
    bytes,
    seed,
    folder,
    async file(name = "input") {
      const path = join(folder, name);
      // Some ten thousand a second, and nobody else to wait for this thread.
      try {
        writeFileSync(path, bytes);
      } catch {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
      return path;
    },
  };
}

/** Seeds that are files of the golden cases. */
export function golden(...files: readonly string[]): Decoder["seeds"] {
  return (cases) => Promise.all(files.map((file) => readFile(join(cases, file))));
}

/** Seeds that are text. */
export function texts(...values: readonly string[]): Decoder["seeds"] {
  return async () => values.map((value) => new TextEncoder().encode(value));
}

/**
 * Seeds that the project's own writers make, in a folder that is gone afterwards.
 * @param write makes files and names them
 */
export async function written(
  write: (path: (name: string) => string) => Promise<readonly string[]>,
): Promise<Uint8Array[]> {
  const folder = await mkdtemp(join(tmpdir(), "spin-fuzz-seeds-"));
  try {
    const names = await write((name) => join(folder, name));
    return await Promise.all(names.map((name) => readFile(join(folder, name))));
  } finally {
    await rm(folder, { recursive: true });
  }
}
