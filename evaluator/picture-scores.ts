import { SpinError } from "../core/errors.js";

/**
 * What figures of two checkpoints must share to be compared. A few fields of JSON, kept with each checkpoint's scores;
 * whatever else differs (weights) is what the comparison is about.
 */
export interface Protocol {
  /** In the order of the request. */
  readonly scorers: readonly { readonly name: string; readonly digest: string }[];
  readonly promptSetDigest: string;
  readonly numPrompts: number;
  readonly seeds: readonly string[];
  /** The sampler's settings in canonical JSON. */
  readonly sampler: string;
  readonly batchSize: number;
  readonly computeFingerprint: string;
  readonly bootstrapSamples: number;
  readonly bootstrapSeed: string;
}

/** A distance with its value in every bootstrap resample. */
export interface Distance {
  readonly value: number;
  /** NaN where a resample left nothing to compare. */
  readonly replicates: ArrayLike<number>;
}

/**
 * All that was measured on a checkpoint's pictures, picture by picture: seed by seed, and within a seed prompt by
 * prompt.
 */
export interface PictureScores {
  readonly label: string;
  /** Empty for real pictures. */
  readonly checkpointDigest: string;
  readonly protocol: Protocol;
  /** In order, once each: picture i shows prompts[i mod their number]. */
  readonly prompts: readonly string[];
  /** By scorer, in the order of the request. [pictures] each */
  readonly scores: ReadonlyMap<string, Float64Array>;
  /** Cosine in the first scorer's embeddings. [pictures] */
  readonly similarities: Float64Array;
  /** Distances to the held-out winners. */
  readonly kid: Distance;
  readonly cmmd: Distance;
}

/** @throws SpinError `precondition` naming what differs between the two measurements. */
export function requireSameProtocol(a: PictureScores, b: PictureScores): void {
  const differing = Object.keys(a.protocol).filter((key) => {
    const field = key as keyof Protocol;
    return JSON.stringify(a.protocol[field]) !== JSON.stringify(b.protocol[field]);
  });
  if (differing.length === 0) return;
  throw new SpinError("precondition", `${a.label} and ${b.label} were measured differently: ${differing.join(", ")}`, {
    remedy: "evaluate both again in one evaluation",
  });
}

/** Prompt of each picture. */
export function promptOfPictures(numPrompts: number, numSeeds: number): Int32Array {
  return Int32Array.from({ length: numPrompts * numSeeds }, (_, i) => i % numPrompts);
}
