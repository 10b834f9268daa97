import { KINDS, planFaults, planOneFault, SERVICES, serviceOf } from "./plan.js";

const SEEDS = Array.from({ length: 400 }, (_, seed) => seed);

test("a plan is its seed's alone, and hits each service at moments within the run", () => {
  for (const seed of SEEDS) {
    const plan = planFaults(seed, 8);
    expect(planFaults(seed, 8)).toEqual(plan);
    expect(new Set(plan.map(({ fault }) => serviceOf(fault)))).toEqual(new Set(SERVICES));
    expect(plan.every(({ afterStep }) => afterStep >= 0 && afterStep < 8)).toBe(true);
  }
});

const names = (faults: readonly { readonly kind: string; service: string }[]) =>
  new Set(faults.map(({ kind, service }) => `${service} ${kind}`));
const every = names(SERVICES.flatMap((service) => KINDS[service].map((kind) => ({ kind, service }))));

test("over many seeds every kind of fault comes about, alone too", () => {
  for (const planned of [planFaults, planOneFault]) {
    const faults = SEEDS.flatMap((seed) => planned(seed, 8)).map(({ fault }) => fault);
    expect(names(faults.map((fault) => ({ kind: fault.kind, service: serviceOf(fault) })))).toEqual(every);
  }
  expect(SEEDS.every((seed) => planOneFault(seed, 8).length === 1)).toBe(true);
});
