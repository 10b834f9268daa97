import { createTorchGenerator } from "../../../core/diffusion/torch-generator.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface NoiseCall {
  readonly call: string;
  readonly shape: readonly number[];
  readonly out: string;
  readonly low?: number;
  readonly high?: number;
}

interface NoiseParameters {
  readonly seed: number;
  readonly calls: readonly NoiseCall[];
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { seed, calls } = reference.parameters as unknown as NoiseParameters;
  const generator = createTorchGenerator(seed);
  const draw = ({ call, shape, low, high }: NoiseCall): CaseTensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    switch (call) {
      case "randn":
        return { shape, data: generator.randn(count) };
      case "rand":
        return { shape, data: generator.rand(count) };
      case "randint":
        return { shape, data: BigInt64Array.from(generator.randint(low!, high!, count), BigInt) };
      default:
        throw new Error(`no handler for the call ${call}`);
    }
  };
  return { tensors: Object.fromEntries(calls.map((call) => [call.out, draw(call)])) };
}
