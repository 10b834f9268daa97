import { SpinError } from "../../core/errors.js";
import type { Span } from "../../core/service/read-spans.js";
import { commonLength, type Interval, totalLength } from "./intervals.js";

/** Where an iteration's time went, in seconds. */
export interface IterationCost {
  readonly iteration: string;
  readonly number: number;
  /** The whole iteration, from reading θ_k to the last checkpoint. */
  readonly seconds: number;
  readonly steps: number;
  /** Batches of draws that the steps consumed and that can be followed. */
  readonly batches: number;
  /** Consumed ones whose generator left no trace, as one that was killed: they are missing from all that follows. */
  readonly untraced: number;
  readonly generators: number;
  /** Time in which the trainer's graph or its optimiser ran. */
  readonly trainerComputes: number;
  /** Time in which each generator computed the iteration's batches, on the average. */
  readonly generatorComputes: number;
  /** Time in which the trainer stood still for want of draws. */
  readonly waited: number;
  /** What of it was before the first draws were there. */
  readonly waitedAtFirst: number;
  /** From a batch being computed to the trainer having it, read and checked: the sum over all batches, as though nothing overlapped. */
  readonly streaming: number;
  /** Parts of `streaming`: making the message, bringing it over, reading and checking it. */
  readonly encoding: number;
  readonly handingOver: number;
  readonly takingIn: number;
  /** What of `streaming` fell into times in which the trainer waited: by no more than that has streaming made the iteration longer. */
  readonly streamingWhileWaiting: number;
}

/**
 * What each finished iteration of a trace cost. Draws that lie ready until the trainer wants them, or that nobody asks for while the
 * trainer's window is full, cost nothing: streaming begins with a computed batch and ends when it is ready for the trainer. Trainer and
 * generators must have written to the trace with clocks that agree, as they do on one machine.
 *
 * @throws SpinError "invalid" where there is no iteration, or none of its draws can be followed to a generator
 */
export function streamingCost(spans: readonly Span[]): IterationCost[] {
  const trace = new Trace(spans);
  const iterations = trace.named("iteration");
  if (iterations.length === 0) {
    throw new SpinError("invalid", "the trace has no iteration that has ended", {
      remedy: "set SPIN_TRACE_FILE for the trainer and the generators, and let an iteration end",
    });
  }
  return iterations.sort((one, other) => one.start - other.start).map((iteration) => costOf(iteration, trace));
}

function costOf(iteration: Span, trace: Trace): IterationCost {
  const steps = trace.children(iteration, "optimizer step");
  const inSteps = (name: string) => steps.flatMap((step) => trace.children(step, name));
  const waits = inSteps("wait for draws");
  const consumed = [...new Set(steps.flatMap(({ links }) => links))];
  const batches = consumed.flatMap((id) => followBatch(id, trace) ?? []);
  if (batches.length === 0) {
    throw new SpinError("invalid", "the trace does not tell how the draws of the iteration came about", {
      remedy: "set SPIN_TRACE_FILE for the generators too, and give all files of the iteration",
    });
  }
  const generators = new Set(batches.map(({ address }) => address)).size;
  const seconds = (intervals: readonly Interval[]) => totalLength(intervals) / 1000;
  return {
    iteration: String(iteration.attributes["spin.iteration"] ?? ""),
    number: Number(iteration.attributes["spin.iteration.number"] ?? 0),
    seconds: seconds([iteration]),
    steps: steps.length,
    batches: batches.length,
    untraced: consumed.length - batches.length,
    generators,
    trainerComputes: seconds([...inSteps("worker add"), ...inSteps("worker update")]),
    generatorComputes: seconds(batches.map(({ computed }) => computed)) / generators,
    waited: seconds(waits),
    waitedAtFirst: seconds(waits.slice(0, 1)),
    streaming: seconds(batches.map(({ streamed }) => streamed)),
    encoding: seconds(batches.map(({ encoded }) => encoded)),
    handingOver: seconds(batches.map(({ handedOver }) => handedOver)),
    takingIn: seconds(batches.map(({ takenIn }) => takenIn)),
    streamingWhileWaiting:
      commonLength(
        batches.map(({ streamed }) => streamed),
        waits,
      ) / 1000,
  };
}

/** The way of one batch. */
interface Batch {
  readonly address: string;
  readonly computed: Interval;
  readonly encoded: Interval;
  readonly handedOver: Interval;
  readonly takenIn: Interval;
  /** The three before in one. */
  readonly streamed: Interval;
}

function followBatch(id: string, trace: Trace): Batch | undefined {
  const draws = trace.span(id);
  const [work] = draws === undefined ? [] : trace.children(draws, "worker draws");
  const taken = trace.linkedTo(id, "take draws");
  if (draws === undefined || work === undefined || taken === undefined) return undefined;
  const encodingBegan = work.end - 1000 * Number(draws.attributes["spin.encode_seconds"] ?? 0);
  return {
    address: trace.callerOf(draws),
    computed: { start: work.start, end: encodingBegan },
    encoded: { start: encodingBegan, end: work.end },
    handedOver: { start: work.end, end: taken.start },
    takenIn: { start: taken.start, end: taken.end },
    streamed: { start: encodingBegan, end: taken.end },
  };
}

/** Spans by what leads to them. */
class Trace {
  readonly #byId = new Map<string, Span>();
  readonly #byParent = new Map<string, Span[]>();
  readonly #byLink = new Map<string, Span[]>();

  constructor(spans: readonly Span[]) {
    for (const span of spans) {
      this.#byId.set(span.id, span);
      add(this.#byParent, span.parent, span);
      for (const link of span.links) add(this.#byLink, link, span);
    }
  }

  span(id: string): Span | undefined {
    return this.#byId.get(id);
  }

  named(name: string): Span[] {
    return [...this.#byId.values()].filter((span) => span.name === name);
  }

  /** In order of time. */
  children(parent: Span, name: string): Span[] {
    const all = (this.#byParent.get(parent.id) ?? []).filter((span) => span.name === name);
    return all.sort((one, other) => one.start - other.start);
  }

  linkedTo(id: string, name: string): Span | undefined {
    return this.#byLink.get(id)?.find((span) => span.name === name);
  }

  /** Address that the call which a span belongs to went to: the call's own span is on the caller's side. */
  callerOf(span: Span): string {
    for (let at: Span | undefined = span; at !== undefined; at = this.#byId.get(at.parent)) {
      const address = at.attributes["server.address"];
      if (address !== undefined) return String(address);
    }
    return "";
  }
}

function add(map: Map<string, Span[]>, key: string, span: Span): void {
  const spans = map.get(key);
  if (spans === undefined) map.set(key, [span]);
  else spans.push(span);
}
