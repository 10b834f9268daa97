import type { PhiloxStream } from "../core/diffusion/philox.js";

/** How the draws of a sample choose among equally likely timesteps. */
export type TimestepRule =
  /** Independently. */
  | "uniform"
  /** One in each of as many equal intervals as there are draws: less variance, the same mean. */
  | "stratified"
  /** Each one, in order. */
  | "all";

/**
 * Positions of a sample's draws among `count` equally likely ones.
 * @param draws number of positions; for "all" it equals `count`
 */
export function choosePositions(rule: TimestepRule, draws: number, count: number, stream: PhiloxStream): number[] {
  const position = (draw: number): number => {
    switch (rule) {
      case "uniform":
        return stream.integer(count);
      case "stratified":
        // Rounding could reach the upper end of the last interval.
        return Math.min(count - 1, Math.floor(((draw + stream.uniform()) * count) / draws));
      case "all":
        return draw;
    }
  };
  return Array.from({ length: draws }, (_, draw) => position(draw));
}
