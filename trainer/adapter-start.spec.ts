import { Iteration } from "../proto/gen/spin/v1/trainer_service.js";
import type { LoraSettings } from "../proto/gen/spin/v1/training.js";
import { adapterBase } from "./adapter-start.js";

const four: LoraSettings = { rank: 4, alpha: 4, targetModules: ["to_q"] };
const eight: LoraSettings = { ...four, rank: 8 };

/** Successful iterations, the first from θ0, each to the next θ. */
const run = (...settings: (LoraSettings | undefined)[]) =>
  settings.map((lora, k) =>
    Iteration.fromPartial({ spec: { lora }, baseDigest: `θ${k}`, checkpointDigest: `θ${k + 1}` }),
  );

test.each<[string, LoraSettings, Iteration[], string, boolean]>([
  ["begins on the run's base", four, run(), "θ0", false],
  ["goes on from that of the iteration before, over the same weights", four, run(four), "θ0", true],
  ["goes on for as long as the settings stay", four, run(four, four, four), "θ0", true],
  ["begins anew where all weights were trained before", four, run(four, undefined), "θ2", false],
  ["begins anew where the rank is another", eight, run(four), "θ1", false],
  ["goes on from the last change of settings", four, run(undefined, eight, four, four), "θ2", true],
])("an adapter %s", (_, settings, before, baseDigest, isCarried) => {
  expect(adapterBase(settings, before, `θ${before.length}`)).toEqual({ baseDigest, isCarried });
});
