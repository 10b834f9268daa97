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
  /** Cosine in the embeddings of the first scorer that has some. [pictures] */
  readonly similarities?: Float64Array;
  /** Distances to the held-out winners; absent where no scorer has embeddings, or the prompts no pictures. */
  readonly kid?: Distance;
  readonly cmmd?: Distance;
}

/** Pictures that were scored. */
export function numPictures({ scores }: Pick<PictureScores, "scores">): number {
  return [...scores.values()][0]?.length ?? 0;
}

/** A setting that two measurements have differently. */
export interface ProtocolDifference {
  /** As `sampler.numSteps` or `scorers.hps`. */
  readonly key: string;
  readonly a: string;
  readonly b: string;
}

/** Every setting that differs between two measurements, by name. */
export function protocolDifferences(a: Protocol, b: Protocol): ProtocolDifference[] {
  const [own, other] = [settingsOf(a), settingsOf(b)];
  return [...new Set([...own.keys(), ...other.keys()])]
    .map((key) => ({ key, a: own.get(key) ?? UNSET, b: other.get(key) ?? UNSET }))
    .filter((setting) => setting.a !== setting.b);
}

/** @throws SpinError `precondition` naming every setting that differs between the two measurements, with both values. */
export function requireSameProtocol(a: PictureScores, b: PictureScores): void {
  const differing = protocolDifferences(a.protocol, b.protocol).map(
    (setting) => `${setting.key} is ${setting.a} and ${setting.b}`,
  );
  if (differing.length === 0) return;
  throw new SpinError("precondition", `${a.label} and ${b.label} were measured differently: ${differing.join("; ")}`, {
    remedy: "evaluate both again under the same settings",
  });
}

/** What stands for a setting that one side leaves at its default or does not have. */
const UNSET = "not set";

/** The protocol as names and values, a name for each scorer and each setting of the sampler. */
function settingsOf({ scorers, sampler, ...rest }: Protocol): Map<string, string> {
  const parsed = JSON.parse(sampler) as Readonly<Record<string, unknown>>;
  return new Map([
    ...scorers.map(({ name, digest }): [string, string] => [`scorers.${name}`, digest]),
    ...Object.entries(parsed).map(([name, value]): [string, string] => [`sampler.${name}`, String(value)]),
    ...Object.entries(rest).map(([name, value]): [string, string] => [name, String(value)]),
  ]);
}

/** Prompt of each picture. */
export function promptOfPictures(numPrompts: number, numSeeds: number): Int32Array {
  return Int32Array.from({ length: numPrompts * numSeeds }, (_, i) => i % numPrompts);
}
