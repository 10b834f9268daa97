/** Mean and deviation of CLIP's training pictures, per channel, for values in [0, 1] (OpenAI's clip.py). */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const;

/**
 * What a CLIPModel takes as `pixel_values`.
 *
 * @param image [3, H, W] in [−1, 1], as `toTensor` gives it.
 * @returns [3, H, W], each channel less its mean, over its deviation.
 */
export function clipPixels(image: Float32Array): Float32Array {
  const plane = image.length / 3;
  return image.map((value, i) => {
    const channel = Math.floor(i / plane);
    return ((value + 1) / 2 - CLIP_MEAN[channel]!) / CLIP_STD[channel]!;
  });
}
