import { cp } from "node:fs/promises";
import { join } from "node:path";
import { writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import { loadCase } from "../../test/reference/cases.js";
import { loadScorer } from "../../test/support/load-scorer.js";
import { seededRandom } from "../../test/support/seeded-random.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyScorer } from "../../test/support/tiny-scorer.js";
import type { CaptionedPicture, ScoredPictures } from "./scorer.js";

const folder = useTemporaryFolder();
const random = seededRandom(4);
const picture = (caption: string, size = 32): CaptionedPicture => ({
  image: { width: size, height: size, data: Uint8Array.from({ length: 3 * size * size }, () => random() * 256) },
  caption,
});

test("a picture's score is exp(logit_scale) times its similarity, whatever stands beside it", async () => {
  await writeTinyScorer(folder(), { logitScale: 3 });
  const scorer = await loadScorer(folder(), { threads: 1 });
  const captions = ["woman with red hair", "blue heart", "something else", ""];
  const pictures = Array.from({ length: 21 }, (_, i) => picture(captions[i % 4]!));
  const all = (await scorer.score(pictures)) as Required<ScoredPictures>;
  expect([all.scores.length, all.embeddings.length]).toEqual([21, 21 * 8]);
  for (const [i, score] of all.scores.entries()) {
    expect(score).toBeCloseTo(Math.exp(3) * all.similarities[i]!, 4);
    expect(Math.abs(all.similarities[i]!)).toBeLessThanOrEqual(1);
  }
  // The 18th picture alone: bit for bit as among the others.
  const alone = await scorer.score([pictures[17]!]);
  expect(alone.scores[0]).toBe(all.scores[17]);
  expect(alone.embeddings).toEqual(all.embeddings.slice(17 * 8, 18 * 8));
  expect(new Set(all.scores).size).toBe(21);
  await scorer.release();
});

test("pictures of other sizes are fitted", async () => {
  await writeTinyScorer(folder());
  const scorer = await loadScorer(folder(), { threads: 1 });
  const { scores } = await scorer.score([picture("blue heart", 64), picture("blue heart", 20)]);
  expect(scores.every(Number.isFinite)).toBe(true);
  await scorer.release();
});

test("scoring ends once the signal is aborted", async () => {
  await writeTinyScorer(folder());
  const scorer = await loadScorer(folder(), { threads: 1 });
  await expect(scorer.score([picture("")], AbortSignal.abort())).rejects.toMatchObject({ kind: "cancelled" });
  await scorer.release();
});

test("a folder that is no CLIPModel, and a tokenizer of another model, are refused by name", async () => {
  await expect(loadScorer(join(folder(), "none"))).rejects.toMatchObject({ kind: "notFound" });
  const textOnly = loadCase("text-encode/sd15-quick-gelu").model("text_encoder");
  await expect(loadScorer(textOnly)).rejects.toThrow("clip");
  await cp(loadCase("score/clip-gelu").model("clip"), join(folder(), "other"), { recursive: true });
  const captions = Array.from({ length: 40 }, (_, i) => `word${"abcdefghij"[i % 10]} x${i}`);
  await writeClipTokenizer(join(folder(), "other"), { tokens: [...tokensOf(captions)], merges: [] }, 77);
  await expect(loadScorer(join(folder(), "other"))).rejects.toThrow("tokens");
});

/** More tokens than the case's model has embeddings. */
function tokensOf(captions: readonly string[]): string[] {
  return [...captions, ...Array.from({ length: 1000 }, (_, i) => `t${i}`), "<|startoftext|>", "<|endoftext|>"];
}
