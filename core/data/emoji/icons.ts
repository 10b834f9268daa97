import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { SpinError } from "../../errors.js";
import { CONCEPTS, type EmojiStyle } from "./captions.js";

const PACKAGES: Readonly<Record<EmojiStyle, string>> = {
  fluent: "@iconify-json/fluent-emoji-flat",
  noto: "@iconify-json/noto",
};

const loaded = new Map<EmojiStyle, Promise<ReadonlyMap<string, string>>>();

/**
 * The SVG bodies of a style's icons that the concepts use, by icon name. Read once per process.
 * Format: https://iconify.design/docs/types/iconify-json.html
 * @throws SpinError `notFound` where the package is missing, `corrupt` where it lacks an icon.
 */
export async function loadIcons(style: EmojiStyle): Promise<ReadonlyMap<string, string>> {
  let icons = loaded.get(style);
  if (icons === undefined) {
    icons = readIcons(style);
    loaded.set(style, icons);
    icons.catch(() => loaded.delete(style));
  }
  return icons;
}

/** Reads line by line: parsing the 25 MB at once would hold up the event loop for some 80 ms. */
async function readIcons(style: EmojiStyle): Promise<ReadonlyMap<string, string>> {
  const wanted = new Set(CONCEPTS.map((concept) => concept.icons[style]));
  const icons = new Map<string, string>();
  const file = locate(style);
  let name = "";
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    name = /^\t\t"([^"]+)": \{$/.exec(line)?.[1] ?? name;
    const body = /^\t\t\t"body": (".*"),?$/.exec(line)?.[1];
    if (body !== undefined && wanted.has(name)) icons.set(name, JSON.parse(body) as string);
  }
  const missing = [...wanted].filter((icon) => !icons.has(icon));
  if (missing.length > 0) {
    const some = missing.slice(0, 3).join(", ");
    throw new SpinError(
      "corrupt",
      `${PACKAGES[style]} lacks ${missing.length} icons of the built-in data, as ${some}`,
      {
        file,
        remedy: "install the versions of the lock file with npm ci",
      },
    );
  }
  return icons;
}

function locate(style: EmojiStyle): string {
  const file = `${PACKAGES[style]}/icons.json`;
  try {
    return createRequire(import.meta.url).resolve(file);
  } catch (cause) {
    throw new SpinError("notFound", `the package ${PACKAGES[style]} of the built-in data is not installed`, {
      file,
      remedy: "run npm ci",
      cause,
    });
  }
}
