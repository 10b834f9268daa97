import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { wholeNumber } from "../../cli/options.js";
import { DEVICE_FORMS } from "../../core/graph/device.js";
import { type DeviceReport, listDevices, requireDevice } from "../../core/runtime/devices.js";
import { runTool } from "../run-tool.js";
import { goldenCases } from "./golden.js";
import { formatReport, type GpuReport } from "./report.js";
import { measureAll, SIZES, type SizeName } from "./timings.js";

interface Options {
  readonly device: string;
  readonly sizes: readonly SizeName[];
  readonly cases?: string;
  readonly toleranceFactor: number;
  readonly repeats: number;
  readonly cpu: boolean;
  readonly json?: string;
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const program = new Command("gpu-check")
  .description(
    "Check and measure a device: golden cases in float32, then forward, sampling and step in float32 and float16.",
  )
  .requiredOption("--device <name>", `what to check: ${DEVICE_FORMS}`)
  .option("--sizes <names>", `models to measure, of ${SIZES.join(", ")}; none: only golden cases`, sizesOf, SIZES)
  .option("--cases <folder>", "golden cases; default: those of the project", (folder) => resolve(folder))
  .option("--tolerance-factor <count>", "golden tolerances times this, off the CPU", wholeNumber(1, 1000), 10)
  .option("--repeats <count>", "measured repetitions", wholeNumber(1, 1000), 3)
  .option("--no-cpu", "do not measure the CPU beside it")
  .option("--json <file>", "write all there, too")
  .action(check);
await runTool(program);

/** What is found is printed even where the device is not there: which ones are, and what the others lack. */
async function check(options: Options): Promise<void> {
  const devices = await listDevices();
  process.stdout.write(`${devices.map(describe).join("\n")}\n\n`);
  const device = await requireDevice(options.device, "--device");
  const folder = options.cases ?? `${ROOT}test/reference/cases`;
  if (!existsSync(folder)) process.stderr.write(`note: no golden cases in ${folder}\n`);
  const golden = await goldenCases(folder, device, device === "cpu" ? 1 : options.toleranceFactor);
  const beside = options.cpu && device !== "cpu" ? ["cpu" as const] : [];
  const timings = await measureAll(options.sizes, [device, ...beside], options.repeats, (line) =>
    process.stderr.write(`${line}\n`),
  );
  const report: GpuReport = { device, devices, golden, timings };
  process.stdout.write(`${formatReport(report)}\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  const failed = golden.some(({ faults }) => faults.length > 0) || timings.some(({ failure }) => failure !== undefined);
  if (failed || golden.length === 0) process.exitCode = 1;
}

function describe({ device, name, problem }: DeviceReport): string {
  return `${device}${name === undefined ? "" : ` (${name})`}: ${problem ?? "works"}`;
}

function sizesOf(text: string): readonly SizeName[] {
  if (text === "none") return [];
  const names = text.split(",");
  return SIZES.filter((size) => names.includes(size));
}
