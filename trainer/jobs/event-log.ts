import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode, toIoError } from "../../core/checkpoint/io-errors.js";
import { SpinError } from "../../core/errors.js";
import { parseMessage } from "../../core/json-config.js";
import { abortable } from "../../core/service/deadline.js";
import { WatchIterationResponse } from "../../proto/gen/spin/v1/trainer_service.js";
import { timestampNow } from "../timestamps.js";
import { Wakeup } from "../wakeup.js";
import { isFinal } from "./is-final.js";

/** Whether an event tells that its iteration has ended. */
export function isEnding({ event }: WatchIterationResponse): boolean {
  return event?.$case === "stateChange" && isFinal(event.value);
}

/** What an event carries, besides its number and its time. */
export type IterationEvent = NonNullable<WatchIterationResponse["event"]>;

/**
 * The events of one iteration, one JSON line each in a file: event n stands on line n, so a reader finds its place by
 * counting lines, and reading an old log takes no memory. Writers append one event at a time.
 */
export class EventLog {
  readonly #path: string;
  readonly #grown = new Wakeup();
  #file: FileHandle | undefined;
  /** Bytes of whole lines. */
  #size = 0;
  /** Where the last whole line began when the log was opened. */
  #lastLine = 0;
  #count = 0;
  #ended = false;
  /** Why it was left in the middle. */
  #interruption: SpinError | undefined;
  /** The last event, where the disk would not take it. */
  #unwritten: WatchIterationResponse | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens an empty log. What lies at its place is of a beginning that came to nothing. */
  static async create(path: string): Promise<EventLog> {
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw toIoError(error, path, "write");
    }
    return EventLog.open(path);
  }

  /** Opens a log to write on. It may exist: a line that a crash left unfinished is dropped. */
  static async open(path: string): Promise<EventLog> {
    const log = new EventLog(path);
    try {
      await mkdir(dirname(path), { recursive: true });
      await log.#measure();
      log.#file = await open(path, "a");
      await log.#file.truncate(log.#size);
    } catch (error) {
      throw toIoError(error, path, "write");
    }
    return log;
  }

  /**
   * Opens the log of an iteration that has ended, to read.
   * @param ending its last event, for where the disk did not take it
   */
  static async openEnded(path: string, ending?: IterationEvent): Promise<EventLog> {
    const log = new EventLog(path);
    await log.#measure();
    log.#ended = true;
    if (ending !== undefined && !(await log.#hasEnding())) log.#unwritten = log.#message(ending);
    return log;
  }

  /**
   * Cuts a log that nobody writes on at the first line that is not the event of its number: what a disk or a machine that failed has left.
   * @returns bytes that were cut off; a last line without an end is not counted
   */
  static async mend(path: string): Promise<number> {
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return 0;
      throw toIoError(error, path, "read");
    }
    let [size, line] = [0, 0];
    for (let end = bytes.indexOf("\n"); end >= 0; end = bytes.indexOf("\n", size)) {
      line += 1;
      if (!isEvent(bytes.subarray(size, end).toString("utf8"), line, path)) break;
      size = end + 1;
    }
    const whole = bytes.lastIndexOf("\n") + 1;
    if (size === whole) return 0;
    await truncate(path, size).catch((error: unknown) => {
      throw toIoError(error, path, "write");
    });
    return whole - size;
  }

  /** Number of events, which is the last one's sequence number. */
  get count(): number {
    return this.#count;
  }

  /** @throws SpinError "exhausted" for a full disk; the event is then not part of the log */
  async append(event: IterationEvent): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(WatchIterationResponse.toJSON(this.#message(event)))}\n`);
    try {
      await this.#file!.appendFile(line);
    } catch (error) {
      await this.#file!.truncate(this.#size).catch(() => undefined); // A piece of the line may have been written.
      throw toIoError(error, this.#path, "write");
    }
    this.#size += line.length;
    this.#count += 1;
    this.#grown.wake();
  }

  /** Appends the last event, which readers get even where the disk does not take it any more. */
  async end(event: IterationEvent): Promise<void> {
    const message = this.#message(event);
    await this.append(event).catch(() => {
      this.#unwritten = message;
    });
    this.#ended = true;
    this.#grown.wake();
    await this.#file!.close();
  }

  /** Ends the writing before the iteration's end: readers hear the reason once they have all events. */
  async interrupt(reason: SpinError): Promise<void> {
    this.#interruption = reason;
    this.#grown.wake();
    await this.#file!.close();
  }

  /** Lets go of a log that nobody reads: its iteration was not begun. */
  async close(): Promise<void> {
    await this.#file?.close();
  }

  /** Events with a greater sequence number, as they come, until the log has ended. */
  async *read(afterSequence: number, signal: AbortSignal): AsyncGenerator<WatchIterationResponse, void, undefined> {
    let offset = 0;
    let line = 0;
    for (;;) {
      const grown = this.#grown.wait(); // Asked before the look, so that nothing comes in between unseen.
      const [end, ended] = [this.#size, this.#ended];
      if (end === offset && ended) break;
      if (end === offset && this.#interruption !== undefined) throw this.#interruption;
      if (end === offset) await abortable(grown, signal);
      for await (const text of this.#lines(offset, end)) {
        line += 1;
        if (line > afterSequence) yield parseEvent(text, line, this.#path);
      }
      offset = end;
    }
    if (this.#unwritten !== undefined && this.#unwritten.sequence > afterSequence) yield this.#unwritten;
  }

  /** Whole lines between two places in the file. */
  async *#lines(from: number, to: number): AsyncGenerator<string, void, undefined> {
    if (from === to) return;
    let rest = "";
    for await (const chunk of createReadStream(this.#path, { start: from, end: to - 1, encoding: "utf8" })) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  }

  /** Finds out how many whole lines the file has, and where they end. */
  async #measure(): Promise<void> {
    try {
      let offset = 0;
      for await (const chunk of createReadStream(this.#path) as AsyncIterable<Buffer>) {
        for (let at = chunk.indexOf("\n"); at >= 0; at = chunk.indexOf("\n", at + 1)) {
          this.#count += 1;
          this.#lastLine = this.#size;
          this.#size = offset + at + 1;
        }
        offset += chunk.length;
      }
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw toIoError(error, this.#path, "read");
    }
  }

  /** Whether the last line tells of the iteration's end. */
  async #hasEnding(): Promise<boolean> {
    let last = "";
    for await (const line of this.#lines(this.#lastLine, this.#size)) last = line;
    return last !== "" && isEnding(parseEvent(last, this.#count, this.#path));
  }

  #message(event: IterationEvent): WatchIterationResponse {
    return { sequence: this.#count + 1, time: timestampNow(), event };
  }
}

/** @throws SpinError "corrupt" naming file and line for what is not the event of this number */
function parseEvent(text: string, number: number, path: string): WatchIterationResponse {
  const where = `${path}, line ${number},`;
  const event = parseMessage((json) => WatchIterationResponse.fromJSON(JSON.parse(String(json))), text, where);
  if (event.sequence === number) return event;
  throw new SpinError("corrupt", `${where} holds the event ${event.sequence}`, {
    file: path,
    remedy: "restore the file from a copy",
  });
}

function isEvent(text: string, number: number, path: string): boolean {
  try {
    parseEvent(text, number, path);
    return true;
  } catch {
    return false;
  }
}
