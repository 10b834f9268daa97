// npm run test:faults -- [--seeds N] [--seed FIRST] [--journal FILE]: fault runs, each a function of its seed. FILE gets a line of JSON a run.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" }, journal: { type: "string" } },
});
const seeds = values.seeds ?? (values.seed === undefined ? "20" : "1");
const env = { ...process.env, FAULT_SEEDS: seeds, FAULT_SEED: values.seed ?? "1" };
if (values.journal !== undefined) env.FAULT_JOURNAL = values.journal;
const { status } = spawnSync("npm", ["test", "--", "test/faults/seeded", "--verbose"], { env, stdio: "inherit" });
process.exit(status ?? 1);
