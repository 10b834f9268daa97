import type { Device } from "../../core/graph/device.js";
import type { Flags } from "../compare/cases.js";
import { measure } from "../compare/measure.js";
import { sizeFolder } from "../compare/size-folder.js";
import { SIZE, SIZES, type SizeName } from "../compare/sizes.js";

export { SIZES, type SizeName };

/** One benchmark of one size in one precision on one device. */
export interface Timing {
  readonly size: SizeName;
  readonly bench: string;
  readonly precision: "float32" | "float16";
  readonly device: Device;
  /** Median of the repetitions; absent where it failed. */
  readonly ms?: number;
  readonly failure?: string;
}

const PRECISIONS = ["float32", "float16"] as const;

/** Forward, sampling and step of each size, in float32 and float16; float16 on a CPU is conversions alone and is left out. */
export async function measureAll(
  sizes: readonly SizeName[],
  devices: readonly Device[],
  repeats: number,
  onLine: (line: string) => void,
): Promise<Timing[]> {
  const timings: Timing[] = [];
  for (const size of sizes) {
    const model = await sizeFolder(size);
    const { tokens, batch, samplingSteps } = SIZE[size];
    const step = size === "sd15" ? { batch, reference: "given", lora: 8 } : { batch, reference: "given" };
    const benches: readonly (readonly [string, Flags])[] = [
      ["unet", { batch }],
      ["sample", { batch, steps: samplingSteps }],
      ["step", step],
    ];
    for (const device of devices) {
      for (const precision of device === "cpu" ? PRECISIONS.slice(0, 1) : PRECISIONS) {
        for (const [bench, flags] of benches) {
          const timing = await one([bench, { ...flags, model, tokens, repeats, device, precision }]);
          timings.push({ size, bench, precision, device, ...timing });
          onLine(`${size} ${bench} ${precision} on ${device}: ${timing.ms ?? timing.failure}`);
        }
      }
    }
  }
  return timings;
}

async function one([bench, flags]: readonly [string, Flags]): Promise<Pick<Timing, "ms" | "failure">> {
  try {
    return { ms: (await measure([process.execPath, "bin/spin-diffusion.mjs", "bench", bench], flags)).ms };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
