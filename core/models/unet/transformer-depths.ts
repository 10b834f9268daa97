/** Transformer blocks as a file tells them: for all levels, for each level, or for each resnet of a level. */
export type DepthSetting = number | readonly (number | readonly number[])[];

/** Transformer blocks after each resnet; levels run from the first down to the last. */
export interface TransformerDepths {
  readonly down: readonly (readonly number[])[];
  readonly mid: number;
  /** By level, as on the way down. */
  readonly up: readonly (readonly number[])[];
}

/**
 * diffusers' `transformer_layers_per_block`, with `reverse_transformer_layers_per_block` for UNets whose way up differs (SSD-1B).
 *
 * @param depths from the first level to the last
 * @param reversed from the last level to the first; without it the way up mirrors the way down
 * @param layersPerBlock resnets of each level on the way down; the way up has one more
 */
export function transformerDepths(
  depths: DepthSetting,
  reversed: DepthSetting | undefined,
  layersPerBlock: readonly number[],
): TransformerDepths {
  const down = layersPerBlock.map((resnets, level) => perResnet(ofLevel(depths, level), resnets));
  const mirrored = reversed === undefined || typeof reversed === "number" ? reversed : reversed.toReversed();
  const up = layersPerBlock.map((resnets, level) => perResnet(ofLevel(mirrored ?? depths, level), resnets + 1));
  const last = ofLevel(depths, layersPerBlock.length - 1);
  return { down, mid: typeof last === "number" ? last : last[0]!, up };
}

function ofLevel(depths: DepthSetting, level: number): number | readonly number[] {
  return typeof depths === "number" ? depths : depths[level]!;
}

function perResnet(depth: number | readonly number[], resnets: number): readonly number[] {
  return typeof depth === "number" ? Array.from({ length: resnets }, () => depth) : depth.slice(0, resnets);
}
