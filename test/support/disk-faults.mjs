// Makes a disk that fails on demand of this process's file system: every operation of node:fs/promises that a save makes is a point,
// and at the chosen one the process is killed, or the disk is full or broken from then on. To be imported before what uses it.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const real = { ...fs.promises };
let fault;
let points = [];

/** @param what "kill", "ENOSPC" or "EIO"; undefined: nothing fails. @param at number of the operation, from 1 */
export function arm(what, at) {
  fault = what === undefined ? undefined : { what, at };
  points = [];
}

/** Names of the operations since the last call of `arm`, in order. */
export function pointsSeen() {
  return points;
}

/** What `arm` has to say to an operation: the error's code, if it fails. */
function armed(name, path) {
  points.push(`${name} ${String(path).split("/").pop()}`);
  if (fault === undefined || points.length < fault.at) return undefined;
  if (fault.what === "kill") process.kill(process.pid, "SIGKILL");
  // Removing needs no room; everything else goes on failing.
  return name === "rm" ? undefined : fault.what;
}

let ask = armed;

/** Has another function say which operation fails: of name, path and whether it only reads to the code of its error, or undefined. */
export function askInstead(other) {
  ask = other;
}

function failure(name, path, reads = false) {
  if (reads && ask === armed) return undefined; // A save reads as well, but what only reads is no point of it.
  const code = ask(name, path, reads);
  return code && Object.assign(new Error(`${code}: injected at ${name}`), { code });
}

/** The first half of what was to be written: a disk that is full takes what it has room for. */
const half = (data) => data.slice(0, data.length >> 1);

function watched(handle, path) {
  for (const name of ["writeFile", "appendFile", "write", "sync", "read"]) {
    const method = handle[name].bind(handle);
    handle[name] = async (...args) => {
      const error = failure(name, path, name === "read");
      if (error === undefined) return method(...args);
      if (error.code === "ENOSPC" && name !== "sync" && args.length === 1) await method(half(args[0]));
      throw error;
    };
  }
  return handle;
}

for (const name of ["mkdir", "writeFile", "rename", "rm", "readFile", "readdir", "stat"]) {
  const reads = name.startsWith("read") || name === "stat";
  fs.promises[name] = async (...args) => {
    const error = failure(name, args[0], reads);
    if (error === undefined) return real[name](...args);
    if (error.code === "ENOSPC" && name === "writeFile") await real.writeFile(args[0], half(args[1]));
    throw error;
  };
}
fs.promises.open = async (path, flags = "r", ...rest) => {
  const error = failure("open", path, ask !== armed && flags === "r");
  if (error !== undefined) throw error;
  return watched(await real.open(path, flags, ...rest), path);
};
syncBuiltinESMExports();
