import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../core/service/deadline.js";
import type { DrawBatch } from "../../../proto/gen/spin/v1/sampling.js";
import type { FaultProxy, LinkFaults } from "../../support/fault-proxy.js";
import { changeTensor, startGeneratorProxy } from "../../support/generator-proxy.js";
import type { FaultyProcess, InnerFaults } from "./faulty-process.js";
import type { Fault, LIES } from "./plan.js";
import type { FaultyServices } from "./services.js";

/** What a service may take to be there for a fault, in milliseconds. */
const PATIENCE_MS = 5_000;

/** Makes a fault happen. @returns whether it did: a run may be over before a save comes that it would have struck */
export async function strike(services: FaultyServices, fault: Fault, isOver: AbortSignal): Promise<boolean> {
  const { processes, links } = services;
  switch (fault.kind) {
    case "kill":
      await processes[fault.at].kill(fault.delayMs);
      return true;
    case "pause":
      await processes[fault.at].pause(fault.forMs);
      return true;
    case "clock":
      await during(processes[fault.at], { clockSeconds: fault.seconds }, fault.forMs);
      return true;
    case "kill in a save": {
      const { operation, nth } = fault;
      processes.trainer.set({ kill: { operation, nth } });
      return processes.trainer.ended(isOver);
    }
    case "ENOSPC":
    case "EIO":
      await during(processes.trainer, { disk: fault.kind }, fault.forMs);
      return true;
    case "flipped bit":
      return flipKeptBit(services, fault);
    case "lie":
      return lie(services, fault, isOver);
    case "cut":
    case "reset":
      links[fault.at][fault.kind]();
      return true;
    case "half-open":
      links[fault.at].halfOpen();
      return true;
    case "corrupt": {
      const flipped = links[fault.at].flip({ way: fault.way, place: fault.place, leastBytes: 100 });
      return Promise.race([flipped.then(() => true), aborted(isOver)]);
    }
    case "latency":
      return degrade(links[fault.at], { latencyMs: 20 }, fault.forMs);
    case "bandwidth":
      return degrade(links[fault.at], { bytesPerSecond: 50_000 }, fault.forMs);
    case "slices":
      return degrade(links[fault.at], { sliceBytes: 1000 }, fault.forMs);
    case "black hole": {
      await degrade(links[fault.at], { blackhole: true }, fault.forMs);
      // What was swallowed never comes: the connections that it is missing in are of no use any more.
      links[fault.at].reset();
      return true;
    }
  }
}

async function during(process: FaultyProcess, faults: InnerFaults, ms: number): Promise<void> {
  process.set(faults);
  await sleep(ms);
  process.set(Object.fromEntries(Object.keys(faults).map((name) => [name, undefined])));
}

async function degrade(link: FaultProxy, faults: Partial<LinkFaults>, ms: number): Promise<true> {
  link.set(faults);
  await sleep(ms);
  link.set({});
  return true;
}

const aborted = (signal: AbortSignal) =>
  new Promise<false>((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });

/** Kills a process, flips a bit of what it kept for later, and starts it again. @returns whether there was anything */
async function flipKeptBit(
  { processes, folderOf }: FaultyServices,
  { at, place, delayMs }: Extract<Fault, { kind: "flipped bit" }>,
): Promise<boolean> {
  const name = at === "disk" ? "trainer" : "generator b";
  // Of a training state, or of an encoded picture or caption.
  const kept = at === "disk" ? /\/states\/step-\d+\// : /\/encoded\//;
  let found = false;
  await processes[name].kill(delayMs, async () => {
    const entries = await readdir(folderOf(name), { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const files = paths.filter((path) => kept.test(path)).sort();
    const file = files[Math.floor(place * files.length)];
    if (file === undefined) return;
    const bytes = await readFile(file);
    const bit = Math.floor(place * 8 * bytes.length);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    await writeFile(file, bytes);
    found = true;
  });
  return found;
}

/** What becomes of an honest batch; several messages where one was asked for. */
const LIARS: Readonly<Record<(typeof LIES)[number], (batch: DrawBatch) => DrawBatch | readonly DrawBatch[]>> = {
  digest: (batch) => ({ ...batch, checkpointDigest: `sha256:${"0".repeat(64)}` }),
  fingerprint: (batch) => ({ ...batch, computeFingerprint: `sha256:${"0".repeat(64)}` }),
  NaN: (batch) => changeTensor(batch, "real", "target", (value, i) => (i === 7 ? Number.NaN : value)),
  shape: (batch) => {
    const target = batch.real!.target!;
    return { ...batch, real: { ...batch.real!, target: { ...target, shape: target.shape.toReversed() } } };
  },
  index: (batch) => ({ ...batch, firstIndex: batch.firstIndex + batch.numSamples }),
  repetition: (batch) => [batch, batch],
};

/** Has a liar answer in place of replica b, at least until it has lied once. */
async function lie(
  { links, portOfB }: FaultyServices,
  { lie, forMs }: Extract<Fault, { kind: "lie" }>,
  isOver: AbortSignal,
): Promise<boolean> {
  let lies = 0;
  const liar = await startGeneratorProxy({ address: `127.0.0.1:${portOfB}` }, (batch) => {
    lies += 1;
    return LIARS[lie](batch);
  });
  links["link b"].redirect(Number(liar.address.split(":")[1]));
  const start = performance.now();
  await sleep(forMs);
  while (lies === 0 && !isOver.aborted && performance.now() - start < PATIENCE_MS) await sleep(20);
  links["link b"].redirect(portOfB);
  await liar.stop();
  return lies > 0;
}
