import { createPhiloxStream } from "../../core/diffusion/philox.js";

/** Purposes of the random numbers drawn while the built-in models are trained. */
export const PURPOSE = { order: 1, noise: 2, timestep: 3, dropout: 4, latent: 5 } as const;

/**
 * Indices of the examples of one step: epoch after epoch in shuffled order, a function of seed and step alone, so that a
 * run goes on after an interruption as it would have gone on without.
 */
export function batchIndices(seed: bigint, step: number, batch: number, size: number): number[] {
  return Array.from({ length: batch }, (_, i) => {
    const position = step * batch + i;
    return shuffled(seed, Math.floor(position / size), size)[position % size]!;
  });
}

let remembered: { key: string; order: Uint32Array } | undefined;

/** A permutation of 0 … size − 1 (Fisher and Yates), remembered while its epoch lasts. */
function shuffled(seed: bigint, epoch: number, size: number): Uint32Array {
  const key = `${seed}/${epoch}/${size}`;
  if (remembered?.key === key) return remembered.order;
  const stream = createPhiloxStream(seed, { iteration: epoch, index: 0, purpose: PURPOSE.order });
  const order = Uint32Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  remembered = { key, order };
  return order;
}
