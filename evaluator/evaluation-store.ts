import { appendFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { isUnfinished, saveFile } from "../core/checkpoint/atomic-file.js";
import { errorCode, toIoError } from "../core/checkpoint/io-errors.js";
import { parseConfig } from "../core/json-config.js";
import type { Logger } from "../core/service/logging.js";
import { Evaluation, WatchEvaluationResponse } from "../proto/gen/spin/v1/evaluator_service.js";
import { cutTo, readLines } from "./append-log.js";
import { PartialScores } from "./partial-scores.js";
import type { PictureScores, Protocol } from "./picture-scores.js";
import { formatScores, parseScores } from "./scores-file.js";

/** An evaluation as it is kept. */
export interface StoredEvaluation {
  readonly evaluation: Evaluation;
  /** Digest of the request that it was started with. */
  readonly requestDigest: string;
}

const EVALUATION_FILE = "evaluation.json";
const EVENTS_FILE = "events.jsonl";
const PARTIAL_FOLDER = "partial";
const storedSchema = z.object({ requestDigest: z.string(), evaluation: z.looseObject({}) });

/**
 * Evaluations on disk, a folder each: `evaluation.json` (state and results), `events.jsonl`, `scores/<measured>.json`
 * and `.jsonl` (a line a picture), `pictures/<measured>/<prompt>.png` (those that the report shows), and until it has
 * succeeded `partial/<measured>.jsonl`. `measured` is a checkpoint's name for files or `real`.
 */
export class EvaluationStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Everything that is there. What cannot be read is told in the log and left alone. */
  async load(log: Logger): Promise<StoredEvaluation[]> {
    await this.#writing(this.#folder, () => mkdir(this.#folder, { recursive: true }));
    const found: StoredEvaluation[] = [];
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const file = join(this.#folder, entry.name, EVALUATION_FILE);
      try {
        const { requestDigest, evaluation } = parseConfig(storedSchema, JSON.parse(await readText(file)), file);
        found.push({ requestDigest, evaluation: Evaluation.fromJSON(evaluation) });
      } catch (error) {
        log.warn({ err: error, file }, "an evaluation cannot be read and is left out");
      }
    }
    return found;
  }

  /** Writes state and results: whole, or not at all. */
  async save({ evaluation, requestDigest }: StoredEvaluation): Promise<void> {
    const value = { requestDigest, evaluation: Evaluation.toJSON(evaluation) };
    await saveFile(this.#path(evaluation.evaluationId, EVALUATION_FILE), `${JSON.stringify(value)}\n`);
  }

  async appendEvent(id: string, event: WatchEvaluationResponse): Promise<void> {
    const file = this.#path(id, EVENTS_FILE);
    const line = `${JSON.stringify(WatchEvaluationResponse.toJSON(event))}\n`;
    await this.#writing(file, async () => {
      await mkdir(dirname(file), { recursive: true });
      await appendFile(file, line);
    });
  }

  /** The events of an evaluation, oldest first. A line that was cut off by a crash is left out, and cut from the file. */
  async readEvents(id: string): Promise<WatchEvaluationResponse[]> {
    const file = this.#path(id, EVENTS_FILE);
    const { values, bytes } = await readLines(file, (line) => WatchEvaluationResponse.fromJSON(JSON.parse(line)));
    await cutTo(file, bytes);
    return values;
  }

  /** Takes away files that a process was writing when it was killed. */
  async sweep(id: string): Promise<void> {
    const folder = this.#path(id);
    await this.#writing(folder, async () => {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        if (isUnfinished(entry.name)) await rm(join(entry.parentPath, entry.name), { force: true });
      }
    });
  }

  /** What is scored so far of a checkpoint. @throws SpinError as `PartialScores.open` */
  openPartial(id: string, name: string, label: string, protocol: Protocol): Promise<PartialScores> {
    return PartialScores.open(this.#path(id, PARTIAL_FOLDER, `${name}.jsonl`), label, protocol);
  }

  /** Lets go of what was kept to go on from: of one checkpoint, or of all. */
  async dropPartial(id: string, name?: string): Promise<void> {
    const path = this.#path(id, PARTIAL_FOLDER, ...(name === undefined ? [] : [`${name}.jsonl`]));
    await this.#writing(path, () => rm(path, { recursive: true, force: true }));
  }

  async saveScores(id: string, name: string, scores: PictureScores): Promise<void> {
    const { head, lines } = formatScores(scores);
    await saveFile(this.#path(id, "scores", `${name}.jsonl`), lines);
    await saveFile(this.#path(id, "scores", `${name}.json`), head);
  }

  /** @throws SpinError `corrupt` naming the file where it is not what `saveScores` wrote. */
  async readScores(id: string, name: string): Promise<PictureScores> {
    const file = this.#path(id, "scores", `${name}.json`);
    return parseScores(await readText(file), await readText(`${file}l`), file);
  }

  async savePicture(id: string, name: string, prompt: number, png: Uint8Array): Promise<void> {
    await saveFile(this.#path(id, "pictures", name, `${prompt}.png`), png);
  }

  /** The PNG file; undefined where none was kept. */
  async readPicture(id: string, name: string, prompt: number): Promise<Buffer | undefined> {
    const file = this.#path(id, "pictures", name, `${prompt}.png`);
    try {
      return await readFile(file);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw toIoError(error, file, "read");
    }
  }

  #path(id: string, ...parts: readonly string[]): string {
    return join(this.#folder, id, ...parts);
  }

  async #writing(file: string, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw toIoError(error, file, "write");
    }
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw toIoError(error, file, "read");
  }
}
