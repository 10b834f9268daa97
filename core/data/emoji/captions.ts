import { THINGS } from "./objects.js";
import { type Form, SUBJECTS } from "./subjects.js";

/** Unicode's five skin tones from lightest to darkest, in the captions' words. Yellow goes without saying. */
export const SKIN_TONES = ["light", "medium light", "medium", "medium dark", "dark"] as const;

export type SkinTone = (typeof SKIN_TONES)[number];

/** Fluent flat is the style that self-play is to learn; Noto is the other one that the base learns beside it. */
export type EmojiStyle = "fluent" | "noto";

/** One caption and its picture in each style. The caption never names the style. */
export interface Concept {
  readonly caption: string;
  /** The subject (people, hands) or the thing itself. */
  readonly subject: string;
  /** Undefined for yellow people and hands, and for things. */
  readonly tone: SkinTone | undefined;
  /** Icon names in the two packages. */
  readonly icons: Readonly<Record<EmojiStyle, string>>;
}

function tonedConcept(subject: string, { words, fluent, noto }: Form, tone: SkinTone | undefined): Concept {
  const dashed = tone?.replace(" ", "-");
  const suffix = tone === undefined ? "" : ` ${/ with /.test(words) ? "and" : "with"} ${tone} skin tone`;
  return {
    caption: words + suffix,
    subject,
    tone,
    icons: {
      fluent: fluent.replace("{tone}", dashed === undefined ? "" : `-${dashed}`),
      noto: noto.replace("{tone}", dashed === undefined ? "" : `-${dashed}-skin-tone`),
    },
  };
}

/**
 * Every concept of the built-in data, in a fixed order. Captions are plain compositions with one word order: "woman
 * firefighter with dark skin tone", "man with red hair and light skin tone", "small orange diamond", "clock showing half
 * past three".
 */
export const CONCEPTS: readonly Concept[] = [
  ...SUBJECTS.flatMap(({ name, forms }) =>
    [undefined, ...SKIN_TONES].flatMap((tone) => forms.map((form) => tonedConcept(name, form, tone))),
  ),
  ...THINGS.map(({ words, icon }) => ({
    caption: words,
    subject: words,
    tone: undefined,
    icons: { fluent: icon, noto: icon },
  })),
];
