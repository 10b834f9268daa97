import type { Device } from "../../core/graph/device.js";
import type { DeviceReport } from "../../core/runtime/devices.js";
import type { GoldenOutcome } from "./golden.js";
import type { Timing } from "./timings.js";

/** What a check found. */
export interface GpuReport {
  readonly device: Device;
  readonly devices: readonly DeviceReport[];
  readonly golden: readonly GoldenOutcome[];
  readonly timings: readonly Timing[];
}

/** The report as text: golden cases that fail, then a table of times. */
export function formatReport({ device, golden, timings }: GpuReport): string {
  const failed = golden.filter(({ faults }) => faults.length > 0);
  const lines = [`golden cases on ${device}: ${golden.length - failed.length} of ${golden.length} pass`];
  for (const { id, faults } of failed) lines.push(`- ${id}: ${faults[0]}`);
  if (timings.length > 0)
    lines.push("", "| size | what | precision | device | ms |", "| --- | --- | --- | --- | --- |");
  for (const { size, bench, precision, device: on, ms, failure } of timings) {
    lines.push(`| ${size} | ${bench} | ${precision} | ${on} | ${ms?.toFixed(1) ?? `failed: ${failure}`} |`);
  }
  return lines.join("\n");
}
