import { int } from "../emitter.js";
import { peakBytes } from "../live-memory.js";
import { apply, type OpDefinition, type Shape, shapeError, type TensorType, type Value } from "../value.js";
import { input } from "./leaf.js";

/** What a scan is given. */
export interface ScanInputs {
  /** Values that each iteration replaces. */
  readonly states?: readonly Value[];
  /** Values [T, ...] of which iteration t sees part t; all have the same T. */
  readonly over: readonly Value[];
  /** Values that every iteration sees whole. */
  readonly fixed?: readonly Value[];
}

/** One iteration: from states, parts and fixed values to the next states, of the same shapes, and the iteration's outputs. */
export type ScanBody = (
  states: readonly Value[],
  parts: readonly Value[],
  fixed: readonly Value[],
) => { readonly states?: readonly Value[]; readonly outputs: readonly Value[] };

interface ScanAttributes {
  readonly length: number;
  readonly numStates: number;
  readonly numOver: number;
  /** Stand for the inputs, inside. */
  readonly places: readonly Value[];
  /** States, then outputs, of one iteration. */
  readonly results: readonly Value[];
}

const SCAN: OpDefinition<ScanAttributes> = {
  name: "scan",
  infer: (inputs, { length, numStates, numOver, places, results }) => {
    const fits = inputs.every(({ shape }, i) => {
      const expected = places[i]!.shape;
      return shape.join() === (isOver(i, numStates, numOver) ? [length, ...expected] : expected).join();
    });
    const keeps = results.slice(0, numStates).every(({ shape }, i) => shape.join() === places[i]!.shape.join());
    if (!fits || !keeps) throw shapeError("scan", inputs, `${length} parts, and states that keep their shapes`);
    return results.map(
      ({ shape, dtype }, i): TensorType => ({ shape: i < numStates ? shape : [length, ...shape], dtype }),
    );
  },
  scratch: ({ results }) => peakBytes(results),
  emit: (e, inputs, { attributes: { numStates, numOver, places, results } }) => {
    const inside = numStates + numOver;
    const body = e.subgraph(
      places.slice(0, inside),
      results,
      new Map(places.slice(inside).map((place, i) => [place, inputs[inside + i]!])),
    );
    return e.node("Scan", inputs.slice(0, inside), { body, num_scan_inputs: int(numOver) }, results.length);
  },
  gradient: "not differentiable",
};

const isOver = (i: number, numStates: number, numOver: number) => i >= numStates && i < numStates + numOver;

/**
 * Runs a body once for each part of the values in `over`, one after the other, so that one iteration's memory serves all
 * (ONNX's Scan).
 *
 * @returns the last states, and every iteration's outputs as [T, ...].
 */
export function scan(
  { states = [], over, fixed = [] }: ScanInputs,
  body: ScanBody,
): { states: readonly Value[]; outputs: readonly Value[] } {
  const place = ({ dtype }: Value, shape: Shape) => input("place", shape, dtype);
  const places = [
    ...states.map((x) => place(x, x.shape)),
    ...over.map((x) => place(x, x.shape.slice(1))),
    ...fixed.map((x) => place(x, x.shape)),
  ];
  const [numStates, numOver] = [states.length, over.length];
  const inside = body(
    places.slice(0, numStates),
    places.slice(numStates, numStates + numOver),
    places.slice(numStates + numOver),
  );
  const results = [...(inside.states ?? []), ...inside.outputs];
  const attributes = { length: over[0]!.shape[0]!, numStates, numOver, places, results };
  const all = apply(SCAN, [...states, ...over, ...fixed], attributes);
  return { states: all.slice(0, numStates), outputs: all.slice(numStates) };
}
