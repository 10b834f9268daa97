import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPreferences } from "../core/data/open-dataset.js";
import type { CaptionedPicture } from "../evaluator/scorers/scorer.js";
import { loadScorer } from "../test/support/load-scorer.js";

const folder = fileURLToPath(new URL("./scorer", import.meta.url));
const { test: claimed } = JSON.parse(await readFile(join(folder, "metrics.json"), "utf8")) as {
  test: { pairAccuracy: number; captions: number };
};

test("the shipped scorer orders as many held-out pairs rightly as it says", async () => {
  const pairs = await openPreferences("emoji", "test");
  expect(pairs.size).toBe(claimed.captions);
  const scorer = await loadScorer(folder);
  const scoresOf = async (side: "winner" | "loser") => {
    const pictures: CaptionedPicture[] = [];
    for (let i = 0; i < pairs.size; i++) {
      const pair = pairs.pair(i);
      pictures.push({ image: await pair[side](), caption: pair.caption });
    }
    return (await scorer.score(pictures)).scores;
  };
  const [winners, losers] = [await scoresOf("winner"), await scoresOf("loser")];
  await scorer.release();
  const ordered = winners.reduce((count, score, i) => count + (score > losers[i]! ? 1 : 0), 0);
  // One pair may be so close that another machine's rounding turns it.
  expect(Math.abs(ordered / pairs.size - claimed.pairAccuracy)).toBeLessThan(1.5 / pairs.size);
  expect(claimed.pairAccuracy).toBeGreaterThan(0.9);
});
