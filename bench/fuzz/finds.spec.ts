import { join } from "node:path";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { SpinError } from "../../core/errors.js";
import { CASES_FOLDER } from "../../test/reference/cases.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { type Decoder, fuzzInput } from "./decoder.js";
import { DECODERS } from "./decoders.js";
import { mutate } from "./mutate.js";

/** What fuzzing has found, and what stands beside it: inputs that once brought down a reader, each with the answer that it must get. */

const folder = useTemporaryFolder();
const decoder = (name: string): Decoder => DECODERS.find((one) => one.name === name)!;

async function give(name: string, text: string): Promise<unknown> {
  await decoder(name).seeds(CASES_FOLDER);
  return decoder(name).decode(fuzzInput(new TextEncoder().encode(text), 0, join(folder(), "work")));
}

const PROTOCOL_GONE = '{"label":"base","pr{otocol":{"scorers":[{"name":"a","digest":"sha256:1"}]}}\n';

test.each<[string, string, string, RegExp]>([
  ["an alias to nothing", "recipe", "name: x\nbase: *nowhere\n", /recipe\.yaml: Unresolved alias/],
  ["aliases of aliases", "recipe", billionLaughs(), /recipe\.yaml: .*alias/],
  ["brackets without end", "recipe", `name: ${"[".repeat(100_000)}`, /recipe\.yaml/],
  ["brackets without end", "prompt list .json", "[".repeat(1_000_000), /not JSON/],
  [
    "a time that is none",
    "checkpoint's lineage",
    lineage('"createTime": "yesterday"'),
    /does not hold what it was written/,
  ],
  ["a size that is no number", "checkpoint's lineage", lineage('"size": "large"'), /does not hold what it was written/],
  ["a state that is none", "iteration's record", iteration('"state": "ASLEEP"'), /iteration\.json does not hold/],
  [
    "a line that is cut",
    "iteration's events",
    '{"sequence": 1, "st\n',
    /events.*, line 1, does not hold|input, line 1,/,
  ],
  ["another event's number", "iteration's events", '{"sequence": 7}\n', /line 1, holds the event 7/],
])("%s (%s) is refused by name", async (_, name, text, message) => {
  const error: unknown = await give(name, text).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SpinError);
  expect((error as SpinError).message).toMatch(message);
  expect((error as SpinError).kind).not.toBe("internal");
});

test.each([2020, 2240, 2453])("damaged parquet %i, whose pages lie nowhere, is refused by name", async (index) => {
  const { seeds, decode, end } = decoder("Pick-a-Pic parquet");
  const valid = await seeds(CASES_FOLDER);
  const seed = index % valid.length;
  const bytes = mutate(valid[seed]!, createPhiloxStream(1n, { iteration: 0, index, purpose: 0 }));
  await expect(decode(fuzzInput(bytes, seed, join(folder(), "work")))).rejects.toMatchObject({ kind: "corrupt" });
  end?.();
});

test.each([
  ["no protocol", () => PROTOCOL_GONE],
  ["settings of the sampler that are no JSON", (whole: string) => whole.replace('"sampler":"{}"', '"sampler":"{[}"')],
])("scores so far whose first line has %s are scored anew", async (_, damage) => {
  const [valid] = await decoder("evaluation's batches").seeds(CASES_FOLDER);
  const whole = new TextDecoder().decode(valid);
  expect(await give("evaluation's batches", whole)).toHaveLength(1);
  expect(damage(whole)).not.toBe(whole);
  expect(await give("evaluation's batches", damage(whole))).toEqual([]);
});

function billionLaughs(): string {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`);
  return `l0: &l0 [${Array(9).fill("ha").join(", ")}]\n${levels.join("\n")}\n`;
}

function lineage(field: string): string {
  return `{"checkpoint": {"runId": "run-1", "iterationId": "i", ${field}}}`;
}

function iteration(field: string): string {
  return `{"origin": {"requestId": "a", "contentDigest": "b"}, "traceparent": "", "iteration": {"iterationId": "i", ${field}}}`;
}
