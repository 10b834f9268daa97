import { monitorEventLoopDelay } from "node:perf_hooks";
import { type GpuMemory, gpuMemory } from "./gpu-memory.js";
import { watch } from "./metrics.js";

/** Has memory and the event loop's stalls told with every export, and the GPUs' memory where there are any. @returns a function that ends it */
export function measureProcess(intervalMs: number): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let gpus: readonly GpuMemory[] = [];
  const look = () =>
    void gpuMemory().then((found) => {
      gpus = found;
      if (found.length === 0) clearInterval(timer); // A machine does not grow GPUs.
    });
  const timer = setInterval(look, intervalMs).unref();
  look();
  const ends = [
    watch("spin.process.memory", () => [{ value: process.memoryUsage.rss() }]),
    // Services promise to stay below 100 ms.
    watch("spin.process.eventloop.delay", () => {
      const value = delay.max / 1e9;
      delay.reset();
      return [{ value }];
    }),
    watch("spin.gpu.memory.used", () => gpus.map(({ index, used }) => ({ value: used, attributes: { gpu: index } }))),
    watch("spin.gpu.memory.total", () =>
      gpus.map(({ index, total }) => ({ value: total, attributes: { gpu: index } })),
    ),
  ];
  return () => {
    clearInterval(timer);
    delay.disable();
    for (const end of ends) end();
  };
}
