import type { Comparison } from "../proto/gen/spin/v1/evaluation.js";
import { drawResamples } from "./metrics/bootstrap.js";
import { type PictureScores, type Protocol, promptOfPictures } from "./picture-scores.js";
import { compareCheckpoints } from "./statistics.js";

/** Compares checkpoints pair by pair. The resamples of the last pair are kept: they are most of a comparison's work. */
export class Comparer {
  #key = "";
  #resamples: Promise<Int32Array[]> = Promise.resolve([]);

  /** @throws SpinError `precondition` where the two were not measured alike. */
  async compare(a: PictureScores, b: PictureScores): Promise<Comparison> {
    const { numPrompts, seeds } = a.protocol;
    const resamples = await this.#resamplesOf(a.protocol);
    return compareCheckpoints(a, b, { resamples, prompts: promptOfPictures(numPrompts, seeds.length) });
  }

  #resamplesOf({ numPrompts, bootstrapSamples, bootstrapSeed }: Protocol): Promise<Int32Array[]> {
    const key = [numPrompts, bootstrapSamples, bootstrapSeed].join(" ");
    if (key !== this.#key) {
      this.#key = key;
      this.#resamples = drawResamples(numPrompts, bootstrapSamples, BigInt(bootstrapSeed));
    }
    return this.#resamples;
  }
}
