import { joinFloats } from "../../core/join-floats.js";
import type { Draws, Side } from "./check-draws.js";

/** M draws as the training graph takes them, and what the figures of the step need of them. */
export interface MicroBatch {
  /** Inputs of `buildObjective` by name; handed over to the compute worker, and then gone from here. */
  readonly feeds: Readonly<Record<string, Float32Array>>;
  /** e_k of both sides and the weight, [M] each; absent for SFT. */
  readonly references?: References;
  /** Spans that computed draws that begin in this micro-batch. */
  readonly traceparents: readonly string[];
}

/** What of a pair the frozen θ_k and the objective say, [M] each. */
export interface References {
  readonly real: Float32Array;
  readonly synthetic: Float32Array;
  readonly weight: Float32Array;
}

/** The references of several micro-batches, one behind another; undefined for SFT. */
export function joinReferences(batches: readonly MicroBatch[]): References | undefined {
  const [first, ...more] = batches.map(({ references }) => references);
  if (first === undefined || more.length === 0) return first;
  const joined = (part: keyof References) => joinFloats(batches.map(({ references }) => references![part]));
  return { real: joined("real"), synthetic: joined("synthetic"), weight: joined("weight") };
}

/**
 * Cuts a stream of draws into micro-batches, in order. Sampling batches and micro-batches need not divide each other.
 *
 * @param size M, draws per micro-batch
 * @param weightOf the objective's weight of a draw by its timestep; undefined for SFT
 */
export async function* microBatches(
  draws: AsyncIterable<Draws>,
  size: number,
  weightOf: ((timestep: number) => number) | undefined,
): AsyncGenerator<MicroBatch, void, undefined> {
  let filling: Filling | undefined;
  for await (const batch of draws) {
    for (let row = 0; row < batch.timesteps.length; ) {
      filling ??= new Filling(size, batch);
      row += filling.take(batch, row);
      if (!filling.isFull) continue;
      yield filling.finish(weightOf);
      filling = undefined;
    }
  }
}

/** A micro-batch that is being filled. */
class Filling {
  readonly #size: number;
  readonly #arrays: Record<string, Float32Array>;
  readonly #traceparents: string[] = [];
  #count = 0;

  /** @param like draws, which tell how large one is */
  constructor(size: number, like: Draws) {
    this.#size = size;
    const rows = like.timesteps.length;
    const lengths = {
      real_timestep: 1,
      ...Object.fromEntries(conditions(like).map(([name, values]) => [name, (values.length / rows) * like.perSample])),
      ...Object.fromEntries(columns(like).map(([name, values]) => [name, values.length / rows])),
    };
    this.#arrays = Object.fromEntries(
      Object.entries(lengths).map(([name, length]) => [name, new Float32Array(size * length)]),
    );
  }

  get isFull(): boolean {
    return this.#count === this.#size;
  }

  /** Copies as many rows as there is room for. @returns their number */
  take(batch: Draws, row: number): number {
    const rows = batch.timesteps.length;
    const taken = Math.min(rows - row, this.#size - this.#count);
    for (const [name, values] of columns(batch)) {
      const length = values.length / rows;
      this.#arrays[name]!.set(values.subarray(row * length, (row + taken) * length), this.#count * length);
    }
    this.#arrays.real_timestep!.set(batch.timesteps.subarray(row, row + taken), this.#count);
    for (const [name, values] of conditions(batch)) {
      const length = (values.length / rows) * batch.perSample;
      for (let i = 0; i < taken; i++) {
        const sample = Math.floor((row + i) / batch.perSample);
        const condition = values.subarray(sample * length, (sample + 1) * length);
        this.#arrays[name]!.set(condition, (this.#count + i) * length);
      }
    }
    if (row === 0) this.#traceparents.push(batch.traceparent);
    this.#count += taken;
    return taken;
  }

  finish(weightOf: ((timestep: number) => number) | undefined): MicroBatch {
    const feeds = this.#arrays;
    if (weightOf === undefined) return { feeds, traceparents: this.#traceparents };
    const timestep = feeds.real_timestep!;
    const weight = timestep.map(weightOf);
    const { real_reference: real, synthetic_reference: synthetic } = feeds;
    return {
      // Both sides of a draw stand at the same timestep.
      feeds: { ...feeds, synthetic_timestep: timestep.slice(), weight },
      references: { real: real!.slice(), synthetic: synthetic!.slice(), weight: weight.slice() },
      traceparents: this.#traceparents,
    };
  }
}

/** What has the same number of values for each sample, by the graph's names. */
function conditions({ states, added }: Draws): [string, Float32Array][] {
  if (added === undefined) return [["encoder_hidden_states", states]];
  return [
    ["encoder_hidden_states", states],
    ["text_embeds", added.textEmbeds],
    ["time_ids", added.timeIds],
  ];
}

/** What has the same number of values for each draw, by the graph's names. */
function columns({ real, synthetic }: Draws): [string, Float32Array][] {
  return [...sideColumns("real", real), ...(synthetic === undefined ? [] : sideColumns("synthetic", synthetic))];
}

function sideColumns(side: string, { noisyLatents, target, referenceError }: Side): [string, Float32Array][] {
  const all: [string, Float32Array | undefined][] = [
    [`${side}_xt`, noisyLatents],
    [`${side}_target`, target],
    [`${side}_reference`, referenceError],
  ];
  return all.filter((column): column is [string, Float32Array] => column[1] !== undefined);
}
