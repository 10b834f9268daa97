import { spawn } from "node:child_process";
import { once } from "node:events";
import { mainThreadSeconds } from "./process-time.js";

test("a process that computes takes time, one that sleeps does not", async () => {
  const spin = "const end = performance.now() + 1000; while (performance.now() < end); setInterval(() => {}, 1e6)";
  const [busy, lazy] = [spin, "setInterval(() => {}, 1e6)"].map((code) => spawn(process.execPath, ["-e", code])) as [
    ReturnType<typeof spawn>,
    ReturnType<typeof spawn>,
  ];
  try {
    let taken = 0;
    while (taken < 0.3) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      taken = await mainThreadSeconds(busy.pid!);
    }
    const before = await mainThreadSeconds(lazy.pid!);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await mainThreadSeconds(lazy.pid!)) - before).toBeLessThan(0.2);
  } finally {
    busy.kill();
    lazy.kill();
  }
}, 60_000);

test("what another thread of a process computes is not its main thread's", async () => {
  const spin = "const end = performance.now() + 1000; while (performance.now() < end);";
  const worker = `new (require("node:worker_threads").Worker)(${JSON.stringify(spin)}, { eval: true })`;
  const code = `${worker}.once("exit", () => console.log("done")); setInterval(() => {}, 1e6)`;
  const child = spawn(process.execPath, ["-e", code]);
  try {
    await once(child.stdout, "data"); // The worker has been at it for a second.
    expect(await mainThreadSeconds(child.pid!)).toBeLessThan(0.4);
  } finally {
    child.kill();
  }
}, 60_000);
