import { planFaults } from "./plan.js";

test("a plan is its seed's alone, and hits trainer, generator and network", () => {
  for (let seed = 0; seed < 200; seed++) {
    const plan = planFaults(seed, 8);
    expect(planFaults(seed, 8)).toEqual(plan);
    expect(new Set(plan.map(({ fault }) => fault.service))).toEqual(new Set(["trainer", "generator", "network"]));
    expect(plan.every(({ afterStep }) => afterStep >= 0 && afterStep < 8)).toBe(true);
  }
  const kinds = Array.from({ length: 200 }, (_, seed) => planFaults(seed, 8).map(({ fault }) => fault.kind)).flat();
  expect(new Set(kinds)).toEqual(new Set(["kill", "pause", "latency", "blackhole", "slicer", "cut", "reset"]));
});
