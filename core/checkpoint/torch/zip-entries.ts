import { type FileHandle, open } from "node:fs/promises";
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from "yauzl";
import { errorCode, toIoError } from "../io-errors.js";
import { corrupt } from "../safetensors-header.js";

/** An entry's bytes: a range of the archive's own file, since nothing is compressed. */
export interface ZipEntry {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** More entries than any published model has tensors. */
const MAX_ENTRIES = 200_000;

/**
 * Where the entries of a zip archive lie (APPNOTE.TXT, zip64 included), by name.
 *
 * @throws SpinError "notFound" for a missing file; "corrupt" for one that is no archive, is cut short, or holds an entry
 * that is compressed, encrypted, repeated or beyond the file's end.
 */
export async function listZipEntries(path: string): Promise<ReadonlyMap<string, ZipEntry>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    return await readDirectory(handle, path);
  } catch (error) {
    // The operating system's errors have codes; yauzl's own do not.
    if (error instanceof Error && errorCode(error) === undefined && error.name !== "SpinError") {
      throw corrupt(path, `not a whole zip archive (${error.message})`);
    }
    throw toIoError(error, path, "read");
  } finally {
    await handle?.close();
  }
}

async function readDirectory(handle: FileHandle, path: string): Promise<ReadonlyMap<string, ZipEntry>> {
  const { size } = await handle.stat();
  const options = { autoClose: false, lazyEntries: true, strictFileNames: true };
  const zip = await fromRandomAccessReaderPromise(new BoundedReader(handle, size), size, options);
  if (zip.entryCount > MAX_ENTRIES) throw corrupt(path, `the archive claims ${zip.entryCount} entries`);
  const entries = new Map<string, ZipEntry>();
  for await (const entry of zip.eachEntry()) {
    checkStored(entry, path);
    if (entries.has(entry.fileName)) throw corrupt(path, `the archive has two entries ${shown(entry)}`);
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    entries.set(entry.fileName, { offset: fileDataStart, byteLength: entry.uncompressedSize });
  }
  return entries;
}

/** yauzl's own reader throws where nobody can catch it when an archive claims a place far beyond its end; this one answers. */
class BoundedReader extends RandomAccessReader {
  readonly #handle: FileHandle;
  readonly #size: number;

  constructor(handle: FileHandle, size: number) {
    super();
    this.#handle = handle;
    this.#size = size;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.#size)) {
      process.nextTick(callback, new Error("the archive claims places beyond its end"));
      return;
    }
    this.#handle.read(buffer, offset, length, position).then(({ bytesRead }) => callback(null, bytesRead), callback);
  }
}

/** torch.save stores entries as they are, so that their bytes can be mapped. */
function checkStored(entry: Entry, path: string): void {
  const stored = entry.compressionMethod === 0 && entry.compressedSize === entry.uncompressedSize;
  if (!stored || entry.isEncrypted()) {
    throw corrupt(path, `the entry ${shown(entry)} is compressed or encrypted, which torch.save never does`);
  }
}

function shown({ fileName }: Entry): string {
  return JSON.stringify(fileName.slice(0, 80));
}
