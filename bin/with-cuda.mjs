/**
 * Entry point of the CUDA image: `with-cuda.mjs PROGRAM [ARGUMENT …]` has the CUDA provider compute a sum, then runs
 * the program. Where the sum fails it says why and what is there, and ends with 1. DEVICE=cpu leaves the check out.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const REMEDIES = [
  "What helps:",
  "- no GPU or no driver: install NVIDIA's driver and container toolkit on the host, and give the container a GPU",
  "  (deploy/compose.gpu.yaml, or docker run --gpus device=0)",
  "- a library not found, or of another version: build the image anew with a CUDA_IMAGE of CUDA 12 with cuDNN 9",
  "- no provider: build the target `cuda` anew; it fetches the provider from NuGet",
  "- no GPU wanted: use the target `cpu`, or set DEVICE=cpu",
];

const [program, ...programArguments] = process.argv.slice(2);
if (program === undefined) fail("usage: with-cuda.mjs PROGRAM [ARGUMENT …]");
const device = process.env.DEVICE ?? "cuda";
if (/^cuda(:|$)/.test(device)) checkCuda();
process.argv = [process.argv[0], resolve(program), ...programArguments];
await import(pathToFileURL(resolve(program)).href);

/** In a process of its own, whose end gives back the GPU memory that the check took. */
function checkCuda() {
  const probe = fileURLToPath(new URL("../dist/core/runtime/probe-device.js", import.meta.url));
  const { status, signal, stderr } = spawnSync(process.execPath, [probe, device], { encoding: "utf8" });
  if (status === 0) return;
  const reason = stderr.trim() || `the check ended with ${signal ?? status}`;
  fail(
    [`the CUDA provider does not work here (DEVICE is ${device})`, reason, "", ...inventory(), "", ...REMEDIES].join(
      "\n",
    ),
  );
}

/** What of all that CUDA needs is there. */
function inventory() {
  const require = createRequire(import.meta.url);
  const { version } = require("onnxruntime-node/package.json");
  const folder = join(
    dirname(require.resolve("onnxruntime-node/package.json")),
    "bin/napi-v6",
    process.platform,
    process.arch,
  );
  const provider = join(folder, "libonnxruntime_providers_cuda.so");
  return [
    "What is there:",
    `- onnxruntime-node ${version} with ${list(readdirSync(folder).filter((name) => name.includes(".so")))}`,
    `- libraries of the provider: ${existsSync(provider) ? libraries(provider) : "no provider"}`,
    `- driver: ${firstLine("/proc/driver/nvidia/version")}`,
    `- devices: ${list(readdirSync("/dev").filter((name) => /^nvidia\d+$/.test(name)))}`,
    `- GPUs: ${run("nvidia-smi", "-L") || "none that nvidia-smi tells of"}`,
    `- NVIDIA_VISIBLE_DEVICES: ${process.env.NVIDIA_VISIBLE_DEVICES ?? "not set"}`,
  ];
}

/** The libraries of CUDA and cuDNN that the dynamic linker finds for a file, and those that it does not. */
function libraries(file) {
  const lines = run("ldd", file).split("\n");
  const missing = lines.flatMap((line) => /^\s*(\S+) => not found/.exec(line)?.[1] ?? []);
  const found = lines.flatMap((line) => /^\s*lib(?:cu|nv)\S+ => (\S+)/.exec(line)?.[1] ?? []);
  return `${list(found.map((path) => basename(realpathSync(path))))}; not found: ${list(missing)}`;
}

function run(command, ...options) {
  return spawnSync(command, options, { encoding: "utf8" }).stdout?.trim() ?? "";
}

function firstLine(path) {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n")[0] : "none";
}

function list(names) {
  return names.join(", ") || "none";
}

function fail(message) {
  process.stderr.write(`${basename(fileURLToPath(import.meta.url))}: ${message}\n`);
  process.exit(1);
}
