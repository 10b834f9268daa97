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

function pass(name, path) {
  points.push(`${name} ${String(path).split("/").pop()}`);
  if (fault === undefined || points.length < fault.at) return;
  if (fault.what === "kill") process.kill(process.pid, "SIGKILL");
  // Removing needs no room; everything else goes on failing.
  if (name !== "rm") throw Object.assign(new Error(`${fault.what}: injected at ${name}`), { code: fault.what });
}

function watched(handle, path) {
  for (const name of ["writeFile", "write", "sync"]) {
    const method = handle[name].bind(handle);
    handle[name] = async (...args) => {
      pass(name, path);
      return method(...args);
    };
  }
  return handle;
}

for (const name of ["mkdir", "writeFile", "rename", "rm"]) {
  fs.promises[name] = async (...args) => {
    pass(name, args[0]);
    return real[name](...args);
  };
}
fs.promises.open = async (path, ...args) => {
  pass("open", path);
  return watched(await real.open(path, ...args), path);
};
syncBuiltinESMExports();
