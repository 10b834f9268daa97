import { createPhiloxStream, type PhiloxStream } from "../../../core/diffusion/philox.js";

/** A process that may fail. */
export type ProcessName = "trainer" | "generator a" | "generator b";
/** A connection that may fail: between trainer and a replica, of the replicas to the trainer's weights, of a client to the trainer. */
export type LinkName = "link a" | "link b" | "link weights" | "link client";

/** What a replica may say that is not so. */
export const LIES = ["digest", "fingerprint", "NaN", "shape", "index", "repetition"] as const;
/** Operations of a save at which the trainer may be killed. */
const OPERATIONS = ["mkdir", "open", "write", "sync", "rename", "rm"] as const;

/** Something that goes wrong. */
export type Fault =
  /** SIGKILL, and a new process after a while. */
  | { readonly kind: "kill"; readonly at: ProcessName; readonly delayMs: number }
  /** SIGSTOP for a while. */
  | { readonly kind: "pause"; readonly at: ProcessName; readonly forMs: number }
  /** The clock jumps, and back after a while. */
  | { readonly kind: "clock"; readonly at: ProcessName; readonly seconds: number; readonly forMs: number }
  /** SIGKILL at an operation of a save. */
  | {
      readonly kind: "kill in a save";
      readonly at: "trainer";
      readonly operation: (typeof OPERATIONS)[number];
      readonly nth: number;
    }
  /** The disk is full, or broken. */
  | { readonly kind: "ENOSPC" | "EIO"; readonly at: "disk"; readonly forMs: number }
  /** SIGKILL, one bit of what the process kept is flipped, and a new process. */
  | { readonly kind: "flipped bit"; readonly at: "disk" | "cache"; readonly place: number; readonly delayMs: number }
  | { readonly kind: "lie"; readonly at: "generator b"; readonly lie: (typeof LIES)[number]; readonly forMs: number }
  | {
      readonly kind: "latency" | "bandwidth" | "slices" | "black hole" | "half-open" | "cut" | "reset";
      readonly at: LinkName;
      readonly forMs: number;
    }
  /** One bit is flipped on its way, to the target or back. */
  | { readonly kind: "corrupt"; readonly at: LinkName; readonly way: "there" | "back"; readonly place: number };

/** A fault, so many milliseconds after so many steps were seen. */
export interface PlannedFault {
  readonly afterStep: number;
  readonly waitMs: number;
  readonly fault: Fault;
}

/** Services whose failing counts as another one's. */
export const SERVICES = ["trainer", "generator", "network"] as const;
export type Service = (typeof SERVICES)[number];

/** Which service a fault hits. */
export function serviceOf({ at }: Fault): Service {
  if (at === "trainer" || at === "disk") return "trainer";
  return at === "cache" || at.startsWith("generator") ? "generator" : "network";
}

const LINKS: readonly LinkName[] = ["link a", "link b", "link weights", "link client"];
/** Most that each service suffers beyond its one. */
const MOST_MORE = 3;
const LONGEST_MS = 1_500;

/** Faults of each service, any as likely as another. */
const MAKERS: Readonly<Record<Service, readonly ((random: PhiloxStream) => Fault)[]>> = {
  trainer: [
    (random) => ({ kind: "kill", at: "trainer", delayMs: duration(random) }),
    (random) => ({
      kind: "kill in a save",
      at: "trainer",
      operation: one(random, OPERATIONS),
      nth: 1 + random.integer(4),
    }),
    (random) => ({ kind: "pause", at: "trainer", forMs: duration(random) }),
    (random) => ({ kind: "clock", at: "trainer", seconds: jump(random), forMs: duration(random) }),
    (random) => ({ kind: "ENOSPC", at: "disk", forMs: duration(random) }),
    (random) => ({ kind: "EIO", at: "disk", forMs: duration(random) }),
    (random) => ({ kind: "flipped bit", at: "disk", place: random.uniform(), delayMs: duration(random) }),
  ],
  generator: [
    (random) => ({ kind: "kill", at: replica(random), delayMs: duration(random) }),
    (random) => ({ kind: "pause", at: replica(random), forMs: duration(random) }),
    (random) => ({ kind: "clock", at: replica(random), seconds: jump(random), forMs: duration(random) }),
    (random) => ({ kind: "lie", at: "generator b", lie: one(random, LIES), forMs: duration(random) }),
    (random) => ({ kind: "flipped bit", at: "cache", place: random.uniform(), delayMs: duration(random) }),
  ],
  network: [
    ...(["latency", "bandwidth", "slices", "black hole", "half-open", "cut", "reset"] as const).map(
      (kind) =>
        (random: PhiloxStream): Fault => ({ kind, at: one(random, LINKS), forMs: duration(random) }),
    ),
    // What a client is told has no digest: TLS is what keeps that whole.
    (random) => ({
      kind: "corrupt",
      at: one(random, ["link a", "link b", "link weights"] as const),
      way: one(random, ["there", "back"] as const),
      place: random.uniform(),
    }),
  ],
};

/** Kinds of faults by the services that they hit. */
export const KINDS: Readonly<Record<Service, readonly Fault["kind"][]>> = {
  trainer: ["kill", "kill in a save", "pause", "clock", "ENOSPC", "EIO", "flipped bit"],
  generator: ["kill", "pause", "clock", "lie", "flipped bit"],
  network: ["latency", "bandwidth", "slices", "black hole", "half-open", "cut", "reset", "corrupt"],
};

/** At least one fault of each service, at random moments: a function of the seed alone. */
export function planFaults(seed: number, numSteps: number): PlannedFault[] {
  const random = createPhiloxStream(BigInt(seed), { iteration: 0, index: 0, purpose: 0 });
  const more = Array.from({ length: random.integer(MOST_MORE + 1) }, () => one(random, SERVICES));
  return [...SERVICES, ...more].map((service) => plan(random, numSteps, one(random, MAKERS[service]))).sort(byStep);
}

/** One fault alone, for what it costs: kinds take turns with the seeds. */
export function planOneFault(seed: number, numSteps: number): PlannedFault[] {
  const random = createPhiloxStream(BigInt(seed), { iteration: 0, index: 0, purpose: 1 });
  const makers = SERVICES.flatMap((service) => MAKERS[service]);
  return [plan(random, numSteps, makers[seed % makers.length]!)];
}

function plan(random: PhiloxStream, numSteps: number, make: (random: PhiloxStream) => Fault): PlannedFault {
  return { afterStep: random.integer(numSteps), waitMs: random.integer(400), fault: make(random) };
}

const byStep = (a: PlannedFault, b: PlannedFault) => a.afterStep - b.afterStep;
const one = <T>(random: PhiloxStream, values: readonly T[]): T => values[random.integer(values.length)]!;
const duration = (random: PhiloxStream) => 50 + random.integer(LONGEST_MS);
const replica = (random: PhiloxStream) => one(random, ["generator a", "generator b"] as const);
/** An hour or a day, forward or back. */
const jump = (random: PhiloxStream) => one(random, [-86_400, -3_600, 3_600, 86_400]);
