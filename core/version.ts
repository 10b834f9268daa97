import { existsSync, readFileSync } from "node:fs";
import { PROJECT_ROOT } from "./project-root.js";

/** Version of this program, from its package.json. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const file = `${PROJECT_ROOT}package.json`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : "unknown";
}
