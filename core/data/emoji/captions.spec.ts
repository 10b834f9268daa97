import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { CONCEPTS, type EmojiStyle, SKIN_TONES } from "./captions.js";

/** Icon name → the characters it stands for, as each package's own table says (variation selectors left out). */
function charactersOf(packageName: string): ReadonlyMap<string, ReadonlySet<string>> {
  const file = createRequire(import.meta.url).resolve(`${packageName}/chars.json`);
  const table = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
  const characters = new Map<string, Set<string>>();
  for (const [codePoints, icon] of Object.entries(table)) {
    const plain = codePoints
      .split("-")
      .filter((codePoint) => codePoint !== "fe0f")
      .join("-");
    characters.set(icon, (characters.get(icon) ?? new Set()).add(plain));
  }
  return characters;
}

describe("CONCEPTS", () => {
  const captions = CONCEPTS.map(({ caption }) => caption);

  it("are some 1,500 with a caption each of their own", () => {
    expect(CONCEPTS).toHaveLength(1541);
    expect(new Set(captions).size).toBe(1541);
  });

  it("speak in plain captions of one word order", () => {
    for (const example of [
      "firefighter",
      "woman firefighter with dark skin tone",
      "man with red hair and medium light skin tone",
      "bald woman with medium skin tone",
      "person running with light skin tone",
      "thumbs up with medium dark skin tone",
      "blue heart",
      "small orange diamond",
      "arrow pointing up and left",
      "clock showing half past three",
      "button showing seven",
    ]) {
      expect(captions).toContain(example);
    }
    for (const caption of captions) expect(caption).toMatch(/^[a-z]+( [a-z]+)*$/);
  });

  it("make do with at most 200 words, each in at least two captions, and none that names the style", () => {
    const counts = new Map<string, number>();
    for (const word of captions.flatMap((caption) => caption.split(" "))) counts.set(word, (counts.get(word) ?? 0) + 1);
    expect(counts.size).toBeLessThanOrEqual(200);
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(2);
    for (const word of ["fluent", "noto", "emoji", "flat"]) expect(counts.has(word)).toBe(false);
  });

  it("name each skin tone in the caption and in both icons", () => {
    for (const { caption, tone, icons } of CONCEPTS) {
      const named = SKIN_TONES.filter((known) => new RegExp(`(with|and) ${known} skin tone$`).test(caption));
      expect(named).toEqual(tone === undefined ? [] : [tone]);
      if (tone === undefined) continue;
      expect(icons.fluent.endsWith(`-${tone.replace(" ", "-")}`)).toBe(true);
      expect(icons.noto).toContain(`-${tone.replace(" ", "-")}-skin-tone`);
    }
  });

  it("use no icon twice", () => {
    for (const style of ["fluent", "noto"] as EmojiStyle[]) {
      expect(new Set(CONCEPTS.map(({ icons }) => icons[style])).size).toBe(CONCEPTS.length);
    }
  });

  it("pair icons that stand for the same Unicode emoji in both packages", () => {
    const fluent = charactersOf("@iconify-json/fluent-emoji-flat");
    const noto = charactersOf("@iconify-json/noto");
    for (const { caption, icons } of CONCEPTS) {
      const shared = [...(fluent.get(icons.fluent) ?? [])].filter((character) => noto.get(icons.noto)?.has(character));
      expect([caption, shared.length > 0]).toEqual([caption, true]);
    }
  });
});
