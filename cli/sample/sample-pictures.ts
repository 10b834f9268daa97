import { mkdir, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { toIoError } from "../../core/checkpoint/io-errors.js";
import { encodeImage, type RgbImage } from "../../core/data/image.js";
import { SpinError } from "../../core/errors.js";
import { WorkerClient } from "../../core/runtime/worker-client.js";
import { Progress } from "../progress.js";
import type { RenderSettings } from "./render.js";
import type { SampleMethods } from "./worker.js";

/** What was made. */
export interface SampledPictures {
  /** One per picture, in order. */
  readonly files: readonly string[];
  readonly width: number;
  readonly height: number;
  /** Milliseconds from opening the folder to the last picture. */
  readonly ms: number;
}

/**
 * Makes pictures in a compute worker, with progress on standard error, and writes them as PNG.
 * @param out a .png file, or a folder for `000.png`, `001.png` …
 */
export async function samplePictures(settings: RenderSettings, out: string): Promise<SampledPictures> {
  const files = pictureFiles(out, settings.count);
  const started = performance.now();
  const worker = new WorkerClient<SampleMethods>(new URL("./worker.js", import.meta.url));
  try {
    const position = new Int32Array(new SharedArrayBuffer(8));
    const work = worker.call("render", { settings, position });
    const { pictures, notes } = await new Progress("sampling").follow(work, () => [
      Atomics.load(position, 0),
      Atomics.load(position, 1),
    ]);
    for (const note of notes) process.stderr.write(`note: ${note}\n`);
    const ms = Math.round(performance.now() - started);
    for (const [i, file] of files.entries()) await writePicture(file, pictures[i]!);
    const { width, height } = pictures[0]!;
    return { files, width, height, ms };
  } finally {
    await worker.stop();
  }
}

/** Endings of pictures that are not written; a folder may have any other dot in its name. */
const OTHER_PICTURES = new Set([".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"]);

/** @throws SpinError "invalid" where `out` is a file of another kind, or one file for several pictures. */
export function pictureFiles(out: string, count: number): string[] {
  const extension = out.endsWith("/") ? "" : extname(out).toLowerCase();
  const wrong = (problem: string, remedy: string) => new SpinError("invalid", problem, { field: "out", remedy });
  if (OTHER_PICTURES.has(extension)) throw wrong(`--out ${out}: pictures are written as PNG`, "end its name in .png");
  if (extension !== ".png")
    return Array.from({ length: count }, (_, i) => join(out, `${String(i).padStart(3, "0")}.png`));
  if (count > 1) throw wrong(`--out ${out} is one file for ${count} pictures`, "name a folder");
  return [out];
}

async function writePicture(file: string, picture: RgbImage): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, await encodeImage(picture));
  } catch (error) {
    throw toIoError(error, file, "write");
  }
}
