import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { CONCEPTS } from "./captions.js";
import { loadIcons } from "./icons.js";

describe("loadIcons", () => {
  it.each([
    ["fluent", "@iconify-json/fluent-emoji-flat"],
    ["noto", "@iconify-json/noto"],
  ] as const)("reads the %s icons line by line just as a JSON parser would", async (style, packageName) => {
    const icons = await loadIcons(style);

    const file = createRequire(import.meta.url).resolve(`${packageName}/icons.json`);
    const whole = JSON.parse(readFileSync(file, "utf8")) as {
      icons: Record<string, { body: string }>;
    };
    expect(icons.size).toBe(CONCEPTS.length);
    for (const [name, body] of icons) expect([name, body]).toEqual([name, whole.icons[name]?.body]);
  });
});
