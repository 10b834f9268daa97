import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Folder of this program's package.json, with `/` at its end: one up from the sources, two from what is compiled. */
export const PROJECT_ROOT: string = fileURLToPath(
  ["../", "../../"]
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(new URL("package.json", url))) ?? new URL("../../", import.meta.url),
);
