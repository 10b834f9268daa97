import { z } from "zod";
import { relativeName, requestId } from "../../core/service/request-schemas.js";
import { iterationSettings } from "../run/settings.js";

const wholeNumber = (min: number, max: number) => {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const decimal = (min: number, max: number) => {
  const expected = `a number from ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
};
const words = "a name as emoji/winners";
const NAME = "1 to 40 characters of [A-Za-z0-9._-]";
const name = z.string(words).refine((text) => relativeName.safeParse(text).success, words);

/** How pictures of checkpoints are made and judged. */
const judging = {
  /** Prompt set or data set of the evaluator. */
  prompts: name,
  /** Part of it. */
  split: z.enum(["train", "validation", "test"]).default("test"),
  /** From the beginning of the set; 0: all. */
  maxPrompts: wholeNumber(0, 4_294_967_295).default(0),
  /** Scorers of the evaluator; the first decides. */
  scorers: z.array(name, "a list of scorers' names").min(1, "at least one scorer").default(["scorer"]),
  /** Sampling steps. */
  steps: wholeNumber(1, 1000).default(50),
  /** Classifier-free guidance; 1: none. */
  guidance: decimal(1, 100).default(7.5),
  /** Picture i starts from this seed plus i. */
  seed: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
  /** Pictures rendered together. */
  batch: wholeNumber(1, 256).default(8),
};

const base = z
  .string("a model's name, sha256:… or run:<name>")
  .regex(
    /^(sha256:[0-9a-f]{64}|run:[A-Za-z0-9._-]{1,64}|(?!\.)[A-Za-z0-9._-]+(\/(?!\.)[A-Za-z0-9._-]+)*)$/,
    "a model's name, sha256:… or run:<name>",
  );

/** Settings of one iteration that differ from the recipe's, for `iterations` as a list. */
const overrides = z.strictObject(
  Object.fromEntries(
    // Without the defaults: what an entry does not say is as the recipe has it.
    Object.entries(iterationSettings.shape).map(([key, field]) => {
      const inner: z.ZodType = field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType) : field;
      return [key, inner.optional()];
    }),
  ) as { [Key in keyof typeof iterationSettings.shape]: z.ZodOptional<z.ZodType> },
);

/** A recipe: what is trained from what, on what, how, and what is done with it in the end. */
export const recipe = iterationSettings.extend({
  /** What runs of it are called. */
  name: z.string(NAME).refine((text) => requestId.safeParse(text).success && text.length <= 40, NAME),
  /** θ_0: a model folder's name, `sha256:…`, or `run:<name>`, where the last run of that name has come. */
  base,
  /** Real images and captions. */
  dataset: name,
  /** Part of the data set. */
  split: z.enum(["train", "validation", "test"]).default("train"),
  /** Key of all noise. */
  seed: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
  /** How many, or one entry each with the settings that differ. */
  iterations: z
    .union(
      [wholeNumber(1, 1000), z.array(overrides).min(1).max(1000)],
      "a whole number from 1 to 1000, or a list of settings",
    )
    .default(1),
  /** Chooses among the checkpoints of the one iteration there is: that of the highest mean under the first scorer. */
  select: z.strictObject({ ...judging, split: judging.split.default("validation") }).optional(),
  /** Compares base and iterations (or what was chosen) in the end. */
  evaluation: z.strictObject(judging).optional(),
});

export type Recipe = Readonly<z.output<typeof recipe>>;

/** How checkpoints are judged, for selection and for the evaluation in the end. */
export type Judging = NonNullable<Recipe["evaluation"]>;
