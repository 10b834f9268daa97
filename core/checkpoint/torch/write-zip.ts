import { type FileHandle, open } from "node:fs/promises";
import { SpinError } from "../../errors.js";
import { toIoError } from "../io-errors.js";

export interface ZipSource {
  readonly name: string;
  /** Called when the entry's turn comes, so that one entry at a time is in memory. */
  readonly data: () => Uint8Array | Promise<Uint8Array>;
}

/** Where torch.save has the bytes of storages begin. */
const ALIGNMENT = 64;
const MAX_BYTES = 2 ** 32 - 1;

interface Written {
  readonly name: Uint8Array;
  readonly crc: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Writes a zip archive of stored entries whose data are aligned, as torch.save does (APPNOTE.TXT; without zip64).
 * @throws SpinError "invalid" for an archive of more than 4 GiB, "exhausted" for a full disk
 */
export async function writeZip(path: string, entries: readonly ZipSource[]): Promise<void> {
  try {
    const file = await open(path, "w");
    try {
      const written: Written[] = [];
      let end = 0;
      for (const { name, data } of entries) {
        const entry = await writeEntry(file, new TextEncoder().encode(name), await data(), end);
        written.push(entry);
        end = entry.end;
        if (end > MAX_BYTES)
          throw new SpinError("invalid", `${path}: a zip archive of more than 4 GiB`, { file: path });
      }
      await file.writeFile(directory(written, end));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw toIoError(error, path, "write");
  }
}

async function writeEntry(
  file: FileHandle,
  name: Uint8Array,
  data: Uint8Array,
  offset: number,
): Promise<Written & { readonly end: number }> {
  // The extra field ("FB", as PyTorch names it) takes the place up to the next multiple.
  const unpadded = offset + 30 + name.length + 4;
  const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
  const entry = { name, crc: crc32(data), size: data.byteLength, offset };
  const header = new DataView(new ArrayBuffer(30));
  header.setUint32(0, 0x04034b50, true);
  shared(header, 4, entry, 4 + padding);
  const extra = new Uint8Array(4 + padding).fill(0x5a);
  new DataView(extra.buffer).setUint32(0, 0x4246 | (padding << 16), true);
  for (const part of [new Uint8Array(header.buffer), name, extra, data]) await file.writeFile(part);
  return { ...entry, end: unpadded + padding + data.byteLength };
}

/** The fields that a local header and the central directory have in common, from `version needed` on. */
function shared(view: DataView, at: number, { name, crc, size }: Omit<Written, "offset">, extraLength: number): void {
  view.setUint16(at, 20, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, name.length, true);
  view.setUint16(at + 24, extraLength, true);
}

function directory(entries: readonly Written[], start: number): Uint8Array {
  const records = entries.map((entry) => {
    const view = new DataView(new ArrayBuffer(46));
    view.setUint32(0, 0x02014b50, true);
    view.setUint16(4, 20, true);
    shared(view, 6, entry, 0);
    view.setUint32(42, entry.offset, true);
    return Buffer.concat([new Uint8Array(view.buffer), entry.name]);
  });
  const all = Buffer.concat(records);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, all.length, true);
  end.setUint32(16, start, true);
  return Buffer.concat([all, new Uint8Array(end.buffer)]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ data[i]!) & 255]!;
  return (crc ^ 0xffffffff) >>> 0;
}
