/** Work that ends sooner says nothing. */
const SILENT_MS = 2_000;
/** Between two lines where they cannot be overwritten, as in a log file. */
const LOG_INTERVAL_MS = 10_000;
/** Between two looks at a counter. */
const POLL_MS = 200;

/** Where progress is written: a terminal's line is written anew each time. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** One line about work in progress: how far it is and how long the rest will take. */
export class Progress {
  readonly #label: string;
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #started: number;
  #written = Number.NEGATIVE_INFINITY;
  /** When the first unit was done, and how many were by then: what comes before that (loading, compiling) says nothing of the pace. */
  #first: { readonly time: number; readonly done: number } | undefined;

  /**
   * @param label what is done, as `sampling`
   * @param now milliseconds
   */
  constructor(label: string, output: ProgressOutput = process.stderr, now: () => number = () => performance.now()) {
    this.#label = label;
    this.#output = output;
    this.#now = now;
    this.#started = now();
  }

  /** @param total units in all; 0 while that is not known */
  update(done: number, total: number): void {
    const time = this.#now();
    if (done > 0) this.#first ??= { time, done };
    const interval = this.#output.isTTY ? 0 : LOG_INTERVAL_MS;
    const isDone = total > 0 && done === total;
    if (isDone || time - this.#started < SILENT_MS || time - this.#written < interval) return;
    this.#written = time;
    const position = total === 0 ? "" : ` ${done}/${total}`;
    const line = `${this.#label}${position}, ${this.#rest(total - done, time, done)}`;
    this.#output.write(this.#output.isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
  }

  /** Looks at `position` now and then until `work` ends. */
  async follow<T>(work: Promise<T>, position: () => readonly [done: number, total: number]): Promise<T> {
    const timer = setInterval(() => this.update(...position()), POLL_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      this.end();
    }
  }

  /** Takes the line away. */
  end(): void {
    if (this.#output.isTTY && this.#written > Number.NEGATIVE_INFINITY) this.#output.write("\r\x1b[2K");
  }

  #rest(left: number, time: number, done: number): string {
    const first = this.#first;
    if (first === undefined || done <= first.done) return `${formatSeconds((time - this.#started) / 1000)} so far`;
    const pace = (time - first.time) / (done - first.done);
    return `${formatSeconds((pace * left) / 1000)} left`;
  }
}

/** `42 s`, `8 min 05 s`, `3 h 20 min`. */
export function formatSeconds(seconds: number): string {
  const pad = (part: number): string => String(part).padStart(2, "0");
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}
