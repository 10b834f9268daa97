import { SamplingSpec } from "../proto/gen/spin/v1/sampling.js";
import { earlierOpponent } from "./opponent.js";

const spec = (earlierShare: number, count: number) =>
  SamplingSpec.fromPartial({
    settings: { batchSize: 4 },
    earlierShare,
    earlierCheckpoints: Array.from({ length: count }, (_, i) => ({ digest: String(i) })),
  });

const drawers = (share: number, count: number, batches: number) =>
  Array.from({ length: batches }, (_, j) => earlierOpponent(spec(share, count), 4 * j)?.digest);

test("earlier opponents draw their share of the batches, evenly spread and by turns", () => {
  expect(drawers(0.5, 2, 8)).toEqual([undefined, "0", undefined, "1", undefined, "0", undefined, "1"]);
  expect(drawers(0.25, 3, 1000).filter((one) => one !== undefined)).toHaveLength(250);
  expect(drawers(1, 1, 3)).toEqual(["0", "0", "0"]);
});

test("without a share θ_k draws every batch", () => {
  expect(drawers(0, 0, 5)).toEqual(Array.from({ length: 5 }));
});
