/**
 * Makes a clone ready to run: packages, generated code, compiled sources, each only where something that it depends on
 * has changed. It runs before anything is installed, so it uses nothing but Node.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = [20, 12];
const LOCK = "package-lock.json";
/** What npm itself notes of the packages that it has installed. */
const INSTALLED = "node_modules/.package-lock.json";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
requireNode();

step({
  name: "lock",
  title: "installing packages (npm ci)",
  inputs: [LOCK],
  isThere: () => existsSync(INSTALLED),
  isCurrent: isInstalledAsLocked,
  run: () => npm("ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"),
});
step({
  name: "proto",
  title: "generating code from proto/ (buf)",
  inputs: [LOCK, "buf.gen.yaml", ...filesUnder("proto", /\.(proto|yaml|mjs)$/)],
  isThere: () => existsSync("proto/gen/spin/v1/trainer_service.ts"),
  run: () => node("node_modules/@bufbuild/buf/bin/buf", "generate", "proto"),
});
step({
  name: "wasm",
  title: "compiling the optimiser (AssemblyScript)",
  inputs: [LOCK, "bin/build-wasm.mjs", "core/nn/adamw.wasm.ts"],
  isThere: () => existsSync("core/nn/adamw-binary.ts"),
  run: () => node("bin/build-wasm.mjs"),
});
step({
  name: "source",
  title: "compiling (tsc)",
  inputs: [
    LOCK,
    "tsconfig.json",
    ...compiledFolders().flatMap((folder) => filesUnder(folder, /(?<!\.spec|\.wasm)\.ts$/)),
  ],
  isThere: () => existsSync("dist/cli/main.js"),
  run: () => node("node_modules/typescript/bin/tsc", "-p", "tsconfig.json"),
});

/**
 * Runs a step unless its result is there and its inputs have the digest that they had the last time.
 * @param isCurrent tells in another way that nothing is to be done, for those who did the step by hand
 */
function step({ name, title, inputs, isThere, isCurrent = () => false, run }) {
  const stamp = `node_modules/.spin-${name}-digest`;
  const digest = digestOf(inputs);
  const last = existsSync(stamp) ? readFileSync(stamp, "utf8") : undefined;
  if (isThere() && last === digest) return;
  if (!(isThere() && isCurrent())) {
    const started = performance.now();
    process.stderr.write(`prepare: ${title} …\n`);
    const { status, error } = run();
    if (error !== undefined || status !== 0) fail(`${title} failed${error === undefined ? "" : `: ${error.message}`}`);
    process.stderr.write(`prepare: done in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  }
  writeFileSync(stamp, digest);
}

function node(script, ...options) {
  return spawnSync(process.execPath, [script, ...options], { stdio: ["ignore", 2, 2] });
}

function npm(...options) {
  const cli = process.env.npm_execpath; // Set where npm runs this file: the same npm goes on.
  // onnxruntime-node's install script would fetch CUDA libraries; the package itself has all that a CPU needs.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
  const settings = { stdio: ["ignore", 2, 2], env };
  if (cli?.endsWith("npm-cli.js")) return spawnSync(process.execPath, [cli, ...options], settings);
  return spawnSync("npm", options, { ...settings, shell: process.platform === "win32" });
}

/** Whether every package that the lock file asks for is installed in that version. */
function isInstalledAsLocked() {
  const locked = Object.entries(JSON.parse(readFileSync(LOCK, "utf8")).packages);
  const installed = JSON.parse(readFileSync(INSTALLED, "utf8")).packages;
  return locked.every(
    ([path, { version, optional }]) =>
      path === "" || installed[path]?.version === version || (optional && installed[path] === undefined),
  );
}

/** The folders that tsconfig.json includes and that exist. */
function compiledFolders() {
  return JSON.parse(readFileSync("tsconfig.json", "utf8")).include.filter((folder) => existsSync(folder));
}

function filesUnder(folder, pattern) {
  return readdirSync(folder, { recursive: true })
    .map((path) => join(folder, path))
    .filter((path) => pattern.test(path) && !path.includes("node_modules"))
    .sort();
}

function digestOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const content = readFileSync(file);
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  fail(
    `this is Node ${process.versions.node}, ${OLDEST_NODE.join(".")} or later is needed; install it from nodejs.org`,
  );
}

function fail(message) {
  process.stderr.write(`prepare: ${message}\n`);
  process.exit(1);
}
