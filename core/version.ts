import { existsSync, readFileSync } from "node:fs";

/** Version of this program, from its package.json: one folder up from the sources, two from what is compiled. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const [file] = ["../package.json", "../../package.json"]
    .map((path) => new URL(path, import.meta.url))
    .filter((url) => existsSync(url));
  return file === undefined ? "unknown" : (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
