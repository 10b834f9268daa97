import { formatSeconds } from "../cli/progress.js";

/** One line that counts all stages together: what is done, what is going on, how long the rest will take. */
export class OverallProgress {
  readonly #costs: Map<string, number>;
  readonly #started = performance.now();
  #before = 0;
  #stage = "";
  #lastLine = Number.NEGATIVE_INFINITY;

  /** @param costs of each stage, in any unit that grows as its time does (evaluations of the UNet). */
  constructor(costs: ReadonlyMap<string, number>) {
    this.#costs = new Map(costs);
  }

  /** @param done share of the stage, 0 to 1. */
  update(stage: string, done: number, note: string): void {
    if (stage !== this.#stage) {
      this.#before += this.#costs.get(this.#stage) ?? 0;
      this.#stage = stage;
    }
    const total = [...this.#costs.values()].reduce((sum, cost) => sum + cost, 0);
    const covered = this.#before + done * this.#costs.get(stage)!;
    const now = performance.now();
    const { isTTY } = process.stderr;
    if (!isTTY && now - this.#lastLine < 5_000 && done < 1) return;
    this.#lastLine = now;
    const left = covered === 0 ? "" : `, ${formatSeconds(((now - this.#started) / 1000) * (total / covered - 1))} left`;
    const line = `${String(Math.round((100 * covered) / total)).padStart(3)} %  ${stage}: ${note}${left}`;
    process.stderr.write(isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
  }

  /** Takes out a stage that was done before: it says nothing of the pace. */
  skip(stage: string): void {
    this.#costs.delete(stage);
  }

  /** Lets other output begin on a line of its own. */
  pause(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
  }
}
