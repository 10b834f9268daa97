/** Runs a compiled tool of this folder: `launch("model")` is dist/bench/model/main.js. */
import { existsSync } from "node:fs";

export async function launch(name) {
  const main = new URL(`../dist/bench/${name}/main.js`, import.meta.url);
  if (existsSync(main)) return import(main.href);
  process.stderr.write("the benchmarks are not built yet; run `npm ci && npm run build` in the project's folder\n");
  process.exitCode = 1;
}
