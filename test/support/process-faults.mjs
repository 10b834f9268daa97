// Preloaded into a service (node --import): faults of its disk and its clock, switched on and off by the JSON file FAULT_SWITCH.
//   {"disk": "ENOSPC" | "EIO"}                    what is below FAULT_FOLDER cannot be written, or not even read
//   {"kill": {"operation": "sync", "nth": 3}}     the process is killed before the third such operation of a save below FAULT_FOLDER
//   {"clockSeconds": 3600}                        times of day are so much later
import { readFileSync } from "node:fs";
import { askInstead } from "./disk-faults.mjs";

const { FAULT_SWITCH: file, FAULT_FOLDER: folder } = process.env;
/** What belongs to a save of weights: not each line of a log. */
const SAVED = /\/(states|checkpoints)\//;
let faults = {};
let killText;
let seen = 0;

function look() {
  try {
    faults = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    faults = {}; // Not there, or being written.
  }
  const text = JSON.stringify(faults.kill);
  if (text !== killText) seen = 0;
  killText = text;
}

askInstead((name, path, reads) => {
  const where = String(path);
  if (!where.startsWith(folder)) return undefined;
  look();
  if (faults.kill?.operation === name && !reads && SAVED.test(where) && ++seen === faults.kill.nth) {
    process.kill(process.pid, "SIGKILL");
  }
  if (faults.disk === "ENOSPC") return reads || name === "rm" || name === "rename" ? undefined : "ENOSPC";
  return faults.disk;
});

const RealDate = Date;
const now = () => RealDate.now() + 1000 * (faults.clockSeconds ?? 0);
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => new target(...(args.length > 0 ? args : [now()])),
  apply: () => new RealDate(now()).toString(),
  get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
});
setInterval(look, 50).unref();
