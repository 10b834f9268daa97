import type { Device } from "../../core/graph/device.js";
import { setDefaultDevice } from "../../core/graph/session.js";

/** A golden case on a device. */
export interface GoldenOutcome {
  readonly id: string;
  readonly ms: number;
  /** In what it differs from the reference; none: it passes. */
  readonly faults: readonly string[];
}

/** Handlers of the kinds that run graphs; the others never leave the CPU. */
const HANDLERS = {
  "text-encode": () => import("../../test/reference/kinds/text-encode.js"),
  "vae-encode": () => import("../../test/reference/kinds/vae-encode.js"),
  "vae-decode": () => import("../../test/reference/kinds/vae-decode.js"),
  "unet-forward": () => import("../../test/reference/kinds/unet-forward.js"),
  "unet-gradient": () => import("../../test/reference/kinds/unet-gradient.js"),
  sample: () => import("../../test/reference/kinds/sample.js"),
  lora: () => import("../../test/reference/kinds/lora.js"),
} as const;

/**
 * Runs the golden cases of models on a device, in float32: products are not to be rounded to fewer bits there.
 * @param factor of the cases' own tolerances: GPUs sum in another order
 */
export async function goldenCases(folder: string, device: Device, factor: number): Promise<GoldenOutcome[]> {
  process.env.REFERENCE_CASES = folder;
  process.env.NVIDIA_TF32_OVERRIDE = "0";
  const { listCases, loadCase } = await import("../../test/reference/cases.js");
  const { judge } = await import("../../test/reference/judge.js");
  setDefaultDevice(device);
  const outcomes: GoldenOutcome[] = [];
  for (const id of listCases().filter((one) => Object.hasOwn(HANDLERS, one.split("/")[0]!))) {
    const reference = withTolerance(loadCase(id), factor);
    const started = performance.now();
    let faults: readonly string[];
    try {
      const { run } = await HANDLERS[reference.kind as keyof typeof HANDLERS]();
      faults = await judge(reference, await run(reference));
    } catch (error) {
      faults = [(error as Error).message];
    }
    outcomes.push({ id, ms: Math.round(performance.now() - started), faults });
  }
  setDefaultDevice("cpu");
  return outcomes;
}

interface Tolerances {
  readonly rtol?: number;
  readonly atol?: number;
}

function withTolerance<T extends { expected: object; values?: object; groups?: object }>(
  reference: T,
  factor: number,
): T {
  const scaled = <S extends object>(table: S | undefined): S | undefined =>
    table &&
    (Object.fromEntries(
      Object.entries(table).map(([name, one]: [string, Tolerances]) => [
        name,
        {
          ...one,
          ...(one.rtol !== undefined && { rtol: factor * one.rtol }),
          ...(one.atol !== undefined && { atol: factor * one.atol }),
        },
      ]),
    ) as S);
  return {
    ...reference,
    expected: scaled(reference.expected)!,
    values: scaled(reference.values),
    groups: scaled(reference.groups),
  };
}
