import { MeasurementProtocol } from "../proto/gen/spin/v1/evaluation.js";
import type { Protocol } from "./picture-scores.js";

/** The contract's form of how something was measured. */
export function protocolMessage({ scorers, seeds, sampler, bootstrapSeed, ...rest }: Protocol): MeasurementProtocol {
  return MeasurementProtocol.fromJSON({ ...rest, scorers, seeds, sampler: JSON.parse(sampler), bootstrapSeed });
}
