// Saves a training state at each point of which the disk fails, or at one of which the process is killed (see disk-faults.mjs):
//   node save-state.mjs FOLDER points           prints the names of a save's points
//   node save-state.mjs FOLDER ENOSPC|EIO       fails at each in turn; prints what was left each time
//   node save-state.mjs FOLDER kill N           is killed at the N-th
//   node save-state.mjs FOLDER whole            prints the steps of the whole states in each folder below, by number
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { arm, pointsSeen } from "./disk-faults.mjs";

const { listTrainingStates, readTrainingState, saveTrainingState } = await import(
  "../../dist/core/checkpoint/training-state.js"
);
const [, , folder, what, at] = process.argv;
const state = (step) => ({
  facts: { step, baseDigest: "a", samplingSpecDigest: "b", scalars: {} },
  tensors: new Map([["weights", new Float32Array(1000).fill(step)]]),
});

/** Steps of the states that are there and whole; throws where one is not. */
async function wholeStates(at) {
  const steps = [];
  for (const found of await listTrainingStates(at)) {
    const weights = new Float32Array(1000);
    const { step } = await readTrainingState(found, new Map([["weights", weights]]));
    if (weights.some((value) => value !== step)) throw new Error(`${found} holds other weights`);
    steps.push(step);
  }
  return steps;
}

async function save(at, step) {
  await saveTrainingState(at, state(step));
}

if (what === "points") {
  await save(folder, 1);
  await save(folder, 2);
  arm();
  await save(folder, 3);
  console.log(JSON.stringify(pointsSeen()));
} else if (what === "kill") {
  await save(folder, 1);
  await save(folder, 2);
  arm("kill", Number(at));
  await save(folder, 3);
} else if (what === "whole") {
  const names = (await readdir(folder)).sort((a, b) => Number(a) - Number(b));
  const all = [];
  for (const name of names) all.push(await wholeStates(join(folder, name)));
  console.log(JSON.stringify(all));
} else {
  const left = [];
  for (let point = 1; ; point++) {
    const own = join(folder, String(point));
    await save(own, 1);
    await save(own, 2);
    arm(what, point);
    const error = await save(own, 3).then(
      () => undefined,
      (failure) => failure,
    );
    arm();
    const after = await wholeStates(own);
    await save(own, 3);
    left.push({ kind: error?.kind, after, healed: await wholeStates(own) });
    if (error === undefined) break;
  }
  console.log(JSON.stringify(left));
}
