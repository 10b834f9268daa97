import { readConfig } from "../core/service/config.js";
import { TRAINER_SETTINGS } from "./config.js";
import { changedKeys, trainerConfiguration } from "./configuration.js";

const configured = (flags: Record<string, string>) =>
  trainerConfiguration({ ...readConfig(TRAINER_SETTINGS, flags, {}), device: "cpu" });

test("what results depend on is part of it, what they do not depend on is not", async () => {
  const one = await configured({ threads: "1" });
  expect(
    changedKeys(one, await configured({ threads: "1", port: "9", prefetchBatches: "3", modelDir: "other" })),
  ).toEqual([]);
  expect(changedKeys(one, await configured({ threads: "2", checkpointDtype: "float32" }))).toEqual([
    "checkpoint_dtype: source, now float32",
    "threads: 1, now 2",
  ]);
});

test("keys that came or went are told too, and nothing where nothing was written down", () => {
  expect(changedKeys({ a: "1" }, { b: "2" })).toEqual(["a: 1, now nothing", "b: nothing, now 2"]);
  expect(changedKeys(undefined, { b: "2" })).toEqual([]);
});
