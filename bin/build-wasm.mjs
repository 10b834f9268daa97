/** Compiles core/nn/adamw.wasm.ts and writes it as a module of its own, so that no loader must find a binary file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const folder = mkdtempSync(join(tmpdir(), "spin-wasm-"));
const out = join(folder, "adamw.wasm");
const { error, stderr } = await asc.main([
  "core/nn/adamw.wasm.ts",
  "-o",
  out,
  "-O3",
  "--runtime",
  "stub",
  "--enable",
  "simd",
  "--noAssert",
  "--importMemory",
]);
if (error) {
  console.error(stderr.toString());
  throw error;
}
const base64 = readFileSync(out).toString("base64");
rmSync(folder, { recursive: true });
writeFileSync(
  "core/nn/adamw-binary.ts",
  `/** Made by bin/build-wasm.mjs from adamw.wasm.ts. */\nexport const ADAMW_WASM = "${base64}";\n`,
);
