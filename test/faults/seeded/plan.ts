import { createPhiloxStream } from "../../../core/diffusion/philox.js";

/** Something that goes wrong. */
export type Fault =
  | { readonly kind: "kill"; readonly service: "trainer" | "generator"; readonly delayMs: number }
  | { readonly kind: "pause"; readonly service: "trainer" | "generator"; readonly forMs: number }
  | {
      readonly kind: "latency" | "blackhole" | "slicer" | "cut" | "reset";
      readonly service: "network";
      readonly forMs: number;
    };

/** A fault, once so many steps have been seen. */
export interface PlannedFault {
  readonly afterStep: number;
  readonly fault: Fault;
}

const NETWORK = ["latency", "blackhole", "slicer", "cut", "reset"] as const;

/** At least one fault each of trainer, generator and network, at random moments: a function of the seed alone. */
export function planFaults(seed: number, numSteps: number): PlannedFault[] {
  const stream = createPhiloxStream(BigInt(seed), { iteration: 0, index: 0, purpose: 0 });
  const services = ["trainer", "generator", "network", ...["trainer", "generator", "network"].slice(stream.integer(3))];
  return services
    .map((service): PlannedFault => {
      const afterStep = stream.integer(numSteps);
      const ms = 50 + stream.integer(1500);
      if (service === "network") {
        return { afterStep, fault: { kind: NETWORK[stream.integer(NETWORK.length)]!, service, forMs: ms } };
      }
      const of = service as "trainer" | "generator";
      const isKill = stream.integer(4) > 0;
      const fault: Fault = isKill
        ? { kind: "kill", service: of, delayMs: ms }
        : { kind: "pause", service: of, forMs: ms };
      return { afterStep, fault };
    })
    .sort((a, b) => a.afterStep - b.afterStep);
}
