import { SPLITS, type Split } from "../dataset.js";
import { CONCEPTS, type Concept, type EmojiStyle, SKIN_TONES } from "./captions.js";
import { loadIcons } from "./icons.js";
import { renderEmoji } from "./render.js";
import { conceptsOf, splitOf } from "./split.js";

const STYLES: readonly EmojiStyle[] = ["fluent", "noto"];
const train = conceptsOf("train");
const heldOut = [...conceptsOf("validation"), ...conceptsOf("test")];

/** Is the root mean square difference, as a part of the range, below the limit? */
function closer(a: Uint8Array, b: Uint8Array, limit: number): boolean {
  const allowed = (limit * 255) ** 2 * a.length;
  let sum = 0;
  for (let step = 0; step < a.length; step++) {
    const index = (a.length / 2 + step) % a.length;
    sum += ((a[index] as number) - (b[index] as number)) ** 2;
    if (sum > allowed) return false;
  }
  return true;
}

describe("the split", () => {
  it("has 1,275 training, 100 validation and 166 test concepts", () => {
    expect(SPLITS.map((split) => conceptsOf(split).length)).toEqual([1275, 100, 166]);
  });

  it("shows every word of a held-out caption in 4 training pictures or more, and most in 8 or more", () => {
    const pictures = new Map<string, number>();
    for (const { caption } of train) {
      for (const word of new Set(caption.split(" "))) pictures.set(word, (pictures.get(word) ?? 0) + STYLES.length);
    }
    const words = [...new Set(heldOut.flatMap(({ caption }) => caption.split(" ")))];
    const rarest = words.filter((word) => (pictures.get(word) ?? 0) < 8);
    expect(rarest.sort((a, b) => a.localeCompare(b))).toEqual([
      "black",
      "diamond",
      "eight",
      "five",
      "green",
      "seven",
      "small",
      "ten",
      "three",
    ]);
    for (const word of rarest) expect(pictures.get(word)).toBeGreaterThanOrEqual(4);
  });

  it("shows no held-out caption in training, not even inside a longer one", () => {
    const captions = train.map(({ caption }) => ` ${caption} `);
    for (const { caption } of heldOut) expect(captions.filter((longer) => longer.includes(` ${caption} `))).toEqual([]);
  });

  it("keeps all forms of a subject in one skin tone together", () => {
    const parts = new Map<string, Set<Split>>();
    for (const concept of CONCEPTS.filter(({ tone }) => tone !== undefined)) {
      const pair = `${concept.subject}, ${concept.tone}`;
      parts.set(pair, (parts.get(pair) ?? new Set()).add(splitOf(concept)));
    }
    expect([...parts].filter(([, splits]) => splits.size > 1)).toEqual([]);
  });

  it("leaves every form in training in yellow and in three tones or more", () => {
    const toned = CONCEPTS.filter(({ tone }) => tone !== undefined);
    const withoutTone = ({ caption, tone }: Concept) =>
      caption.replace(new RegExp(` (with|and) ${tone} skin tone$`), "");
    for (const form of new Set(toned.map(withoutTone))) {
      expect(train.map(({ caption }) => caption)).toContain(form);
      const tones = train.filter((concept) => concept.tone !== undefined && withoutTone(concept) === form);
      expect(tones.length).toBeGreaterThanOrEqual(3);
    }
  });

  it("asks for every skin tone about as often", () => {
    for (const split of ["validation", "test"] as const) {
      const toned = conceptsOf(split).filter(({ tone }) => tone !== undefined);
      for (const tone of SKIN_TONES) {
        const share = toned.filter((concept) => concept.tone === tone).length / toned.length;
        expect(share).toBeGreaterThan(0.15);
        expect(share).toBeLessThan(0.25);
      }
    }
  });

  it.each(STYLES)("has no %s drawing on both sides", async (style) => {
    const bodies = await loadIcons(style);
    const seen = new Set(train.map(({ icons }) => bodies.get(icons[style])));
    expect(heldOut.filter(({ icons }) => seen.has(bodies.get(icons[style])))).toEqual([]);
    const tested = new Set(conceptsOf("test").map(({ icons }) => bodies.get(icons[style])));
    expect(conceptsOf("validation").filter(({ icons }) => tested.has(bodies.get(icons[style])))).toEqual([]);
  });

  it.each(STYLES)("has no %s picture on both sides that is drawn nearly alike", async (style) => {
    const render = async ({ icons }: Concept) => (await renderEmoji(style, icons[style])).data;
    const known = await Promise.all(train.map(render));
    for (const concept of heldOut) {
      const picture = await render(concept);
      const twin = known.findIndex((other) => closer(picture, other, 0.02));
      expect([concept.caption, train[twin]?.caption]).toEqual([concept.caption, undefined]);
    }
  });
});
