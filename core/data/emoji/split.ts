import type { Split } from "../dataset.js";
import { CONCEPTS, type Concept, SKIN_TONES } from "./captions.js";
import { SUBJECTS } from "./subjects.js";

/**
 * Held-out things: every word of each occurs in other training captions (colours with other shapes, hours with other
 * half-hours and on buttons).
 */
const HELD_OUT_THINGS: Readonly<Record<string, Split>> = {
  "blue heart": "test",
  "black heart": "test",
  "green circle": "test",
  "white circle": "test",
  "large orange square": "test",
  "small blue diamond": "test",
  "arrow pointing down and left": "test",
  "clock showing half past three": "test",
  "clock showing seven": "test",
  "clock showing half past ten": "test",
  "orange heart": "validation",
  "red circle": "validation",
  "large red square": "validation",
  "medium black square": "validation",
  "arrow pointing up and right": "validation",
  "clock showing five": "validation",
  "clock showing half past eight": "validation",
};

/** Captions of these are part of others: "man with dark skin tone" of "bald man with dark skin tone". */
const NEVER_HELD_OUT: readonly string[] = ["adult", "baby"];

const subjectIndex = new Map(SUBJECTS.map(({ name }, index) => [name, index]));

/**
 * Which part a concept belongs to. What is held out is a pair (subject, skin tone) with all its forms: "man firefighter
 * with dark skin tone" together with the woman and the person, since some are drawn nearly alike. Two subjects in three
 * lose one tone to the test part, three in eight another to the validation part; the tones take turns. Every subject
 * stays in training in yellow and in at least three tones.
 */
export function splitOf({ subject, tone, caption }: Concept): Split {
  const index = subjectIndex.get(subject);
  if (index === undefined) return HELD_OUT_THINGS[caption] ?? "train";
  if (tone === undefined || NEVER_HELD_OUT.includes(subject)) return "train";
  const turn = SKIN_TONES.indexOf(tone);
  if (index % 3 < 2 && turn === index % SKIN_TONES.length) return "test";
  if (index % 8 < 3 && turn === (index + 2) % SKIN_TONES.length) return "validation";
  return "train";
}

/** The concepts of one part, in the order of `CONCEPTS`. */
export function conceptsOf(split: Split): readonly Concept[] {
  return CONCEPTS.filter((concept) => splitOf(concept) === split);
}
