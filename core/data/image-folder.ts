import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestOf, sha256Digest } from "../canonical-json.js";
import { toIoError } from "../checkpoint/io-errors.js";
import { containedPath } from "../contained-path.js";
import { SpinError } from "../errors.js";
import { at } from "./at.js";
import { type DataReport, MAX_EXAMPLES, type RowProblem } from "./data-report.js";
import type { Dataset, Split } from "./dataset.js";
import { decodeImage, pictureProblem } from "./image.js";
import type { IndexFolder } from "./index-folder.js";
import type { IndexProgress } from "./pick-a-pic.js";

/** Captions beside pictures, as Hugging Face's `imagefolder` has them: one JSON object a line, `file_name` and a caption. */
export const METADATA_FILE = "metadata.jsonl";

/** Names that a caption goes by, the first that is there. */
const CAPTION_KEYS = ["text", "caption", "prompt"] as const;

/** Names of files that are taken for pictures. */
export const PICTURE_FILE = /\.(png|jpe?g|webp|gif|tiff?|avif|bmp)$/i;

/** Version of the rules below: an index of another one is made anew. */
const INDEX_VERSION = 1;

/** Pictures that are looked at before the index is kept for the first time, and between two times. */
const KEEP_EVERY = 1000;

/** A picture of a folder with its caption, or what is wrong with it. */
export interface FolderRow {
  /** Relative to the folder. */
  readonly path: string;
  readonly caption: string;
  /** 64 hexadecimal digits over the file; of a row that is used. */
  readonly sha256?: string;
  readonly bytes?: number;
  /** Why the row is not used. */
  readonly problem?: RowProblem;
}

const fileIndex = z.record(
  z.string(),
  z.object({
    size: z.number(),
    mtimeMs: z.number(),
    sha256: z.string(),
    problem: z.string().optional(),
  }),
);
type FileIndex = z.infer<typeof fileIndex>;

/** Where captioned pictures lie. */
export interface ImageFolderPart {
  readonly name: string;
  readonly split: Split;
  readonly folder: string;
  readonly indices: IndexFolder;
  readonly onProgress?: IndexProgress;
}

/** Opens pictures with the captions of METADATA_FILE, in its order; or, without one, of `.txt` files beside them, by path. */
export async function openImageFolder(part: ImageFolderPart): Promise<Dataset> {
  const { name, split, folder } = part;
  const { kind, rows } = await readImageFolder(part);
  const used = rows.filter(({ problem }) => problem === undefined);
  const problems = rows.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  const report: DataReport = {
    kind,
    rowsRead: rows.length,
    rowsUsed: used.length,
    ties: 0,
    unlabelled: 0,
    broken: problems.length,
    repeatedPrompts: used.length - new Set(used.map(({ caption }) => caption)).size,
    examples: problems.slice(0, MAX_EXAMPLES),
  };
  return {
    name,
    split,
    digest: digestOf({ kind, rows: used.map(({ caption, sha256 }) => [caption, sha256]) }),
    size: used.length,
    flippable: true,
    report,
    files: used.map(({ path, bytes, sha256 }) => ({ path, size: bytes!, sha256: sha256! })),
    item(index) {
      const { path, caption, sha256 } = at(used, index, name);
      return {
        caption,
        key: sha256!,
        image: async () => decodeImage(await readPicture(folder, path), join(folder, path)),
      };
    },
  };
}

/** The rows of a folder, used or not. @throws SpinError where the folder or its metadata cannot be read at all */
export async function readImageFolder({
  folder,
  indices,
  onProgress,
}: Pick<ImageFolderPart, "folder" | "indices" | "onProgress">): Promise<{
  kind: DataReport["kind"];
  rows: FolderRow[];
}> {
  const metadata = join(folder, METADATA_FILE);
  const listed = await readFile(metadata, "utf8").then(
    (text) => rowsOfMetadata(text),
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw toIoError(error, metadata, "read");
    },
  );
  const kind = listed === undefined ? "caption-files" : "image-folder";
  const entries = listed ?? (await captionFiles(folder));
  const identity = { kind, version: INDEX_VERSION, folder };
  const known: FileIndex = await indices.find(identity, fileIndex).then((kept) => kept ?? {});
  const rows: FolderRow[] = [];
  for (const [i, entry] of entries.entries()) {
    onProgress?.(i, entries.length);
    rows.push(await lookAt(folder, entry, known, kind));
    if ((i + 1) % KEEP_EVERY === 0) await indices.put(identity, known);
  }
  await indices.put(identity, known);
  return { kind, rows };
}

/** A row as it is written, before its picture is looked at. */
interface Entry {
  readonly row: number;
  readonly path: string;
  readonly caption: string;
  readonly problem?: string;
}

function rowsOfMetadata(text: string): Entry[] {
  return text.split("\n").flatMap((line, i): Entry[] => {
    if (line.trim() === "") return [];
    const row = i + 1;
    const parsed = parseLine(line);
    if (typeof parsed === "string") return [{ row, path: "", caption: "", problem: parsed }];
    const path = parsed.file_name;
    if (typeof path !== "string") return [{ row, path: "", caption: "", problem: "no file_name" }];
    const caption = CAPTION_KEYS.map((key) => parsed[key]).find((value) => value !== undefined);
    if (typeof caption === "string") return [{ row, path, caption }];
    return [{ row, path, caption: "", problem: `no caption: expected one of ${CAPTION_KEYS.join(", ")} as a text` }];
  });
}

function parseLine(line: string): Record<string, unknown> | string {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : "expected a JSON object";
  } catch (error) {
    return `not JSON (${(error as Error).message})`;
  }
}

/** Pictures with captions in `.txt` files of the same name, by path. */
async function captionFiles(folder: string): Promise<Entry[]> {
  const names = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw toIoError(error, folder, "read");
  });
  const paths = names.map((name) => name.replaceAll("\\", "/")).sort((a, b) => (a < b ? -1 : 1));
  const pictures = paths.filter((path) => PICTURE_FILE.test(path));
  const all = new Set(paths);
  return Promise.all(
    pictures.map(async (path, row): Promise<Entry> => {
      const text = path.replace(PICTURE_FILE, ".txt");
      if (!all.has(text)) return { row, path, caption: "", problem: `no caption: there is no ${text}` };
      return { row, path, caption: (await readFile(join(folder, text), "utf8")).trim() };
    }),
  );
}

/** Hashes and decodes a picture, unless it is known and was not touched since. */
async function lookAt(
  folder: string,
  { row, path, caption, problem }: Entry,
  known: FileIndex,
  kind: DataReport["kind"],
): Promise<FolderRow> {
  const file = kind === "image-folder" ? METADATA_FILE : path;
  const refused = (reason: string): FolderRow => ({ path, caption, problem: { file, row, problem: reason } });
  if (problem !== undefined) return refused(problem);
  try {
    const real = await containedPath(folder, path);
    const { size, mtimeMs } = await stat(real);
    const before = known[path];
    if (before === undefined || before.size !== size || before.mtimeMs !== mtimeMs) {
      const bytes = await readFile(real);
      const sha256 = sha256Digest(bytes).slice("sha256:".length);
      known[path] = { size, mtimeMs, sha256, problem: await pictureProblem(bytes) };
    }
    const found = known[path]!;
    return found.problem === undefined
      ? { path, caption, sha256: found.sha256, bytes: size }
      : refused(`${path}: ${found.problem}`);
  } catch (error) {
    const known = toIoError(error, path, "read");
    // A disk that fails says nothing of the row.
    if (known.kind !== "notFound" && known.kind !== "invalid" && known.kind !== "precondition") throw known;
    return refused(known.message);
  }
}

async function readPicture(folder: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(await containedPath(folder, path));
  } catch (error) {
    throw error instanceof SpinError ? error : toIoError(error, join(folder, path), "read");
  }
}
