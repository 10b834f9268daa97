import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTorchFile } from "../../core/checkpoint/torch/write-torch-file.js";
import { seededRandom } from "../../test/support/seeded-random.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyScorers } from "../../test/support/tiny-published-scorers.js";
import { locateScorer } from "./locate-scorer.js";
import { openScorer } from "./open-scorer.js";
import { ResidentScorers } from "./resident-scorers.js";
import type { CaptionedPicture } from "./scorer.js";

const folder = useTemporaryFolder();
const random = seededRandom(6);
const picture = (caption: string, size = 32): CaptionedPicture => ({
  image: { width: size, height: size, data: Uint8Array.from({ length: 3 * size * size }, () => random() * 256) },
  caption,
});

const open = async (name: string, path: string) => openScorer(await locateScorer(folder(), name, path, "scorers"));
async function score(name: string, path: string, pictures: readonly CaptionedPicture[]) {
  const scorer = await (await open(name, path)).load({ threads: 1 });
  const scored = await scorer.score(pictures);
  await scorer.release();
  return scored;
}

test("HPS is the cosine, or 100 times it, whatever the weights' element type", async () => {
  const pictures = ["blue heart", "woman with red hair", ""].map((caption) => picture(caption, 40));
  await writeTinyScorers(folder());
  const { scores, similarities, embeddings } = await score("hps-v2.1", "hps.pt", pictures);
  expect(scores).toEqual(similarities);
  expect(embeddings).toHaveLength(3 * 10);
  const hundredfold = await score("hps-x100", "hps.pt", pictures);
  for (const [i, value] of scores.entries()) expect(hundredfold.scores[i]).toBeCloseTo(100 * value, 3);
  const plain = await score("hps-no-antialias", "hps.pt", pictures);
  expect(plain.scores).not.toEqual(scores);
  await writeTinyScorers(folder(), "F32");
  const exact = await score("hps", "hps.pt", pictures);
  for (const [i, value] of scores.entries()) expect(exact.scores[i]).toBeCloseTo(value, 2);
});

test("PickScore and CLIPScore make different numbers of one model's cosine", async () => {
  await writeTinyScorers(folder());
  const pictures = [picture("blue heart"), picture("red")];
  const pick = await score("pickscore", "pickscore", pictures);
  const cosine = await score("clipscore-cosine", "pickscore", pictures);
  const hundredfold = await score("clipscore-x100", "pickscore", pictures);
  const prefixed = await score("clipscore", "pickscore", pictures);
  for (const [i, value] of cosine.scores.entries()) {
    expect(pick.scores[i]).toBeCloseTo(Math.exp(3) * value, 4);
    expect(hundredfold.scores[i]).toBeCloseTo(100 * Math.max(0, value), 4);
  }
  const described = pictures.map(({ image, caption }) => ({ image, caption: `A photo depicts ${caption}` }));
  const direct = await score("clipscore-cosine", "pickscore", described);
  for (const [i, value] of direct.scores.entries()) {
    expect(prefixed.scores[i]).toBeCloseTo(2.5 * Math.max(0, value), 5);
  }
});

test("ImageReward looks at both prompt and picture; it has no embeddings", async () => {
  await writeTinyScorers(folder());
  const one = picture("cat");
  const pictures = [one, { ...one, caption: "dog" }, picture("cat"), one];
  const { scores, similarities, embeddings } = await score("imagereward", "imagereward.pt", pictures);
  expect(new Set(scores).size).toBe(3);
  expect(scores[3]).toBe(scores[0]);
  expect([similarities, embeddings]).toEqual([undefined, undefined]);
});

test("the aesthetic score is the picture's alone", async () => {
  await writeTinyScorers(folder());
  const one = picture("cat");
  const { scores, similarities, embeddings } = await score("aesthetic", "aesthetic.pth", [
    one,
    { ...one, caption: "dog" },
    picture("cat"),
  ]);
  expect(scores[1]).toBe(scores[0]);
  expect(scores[2]).not.toBe(scores[0]);
  expect(similarities).toBeUndefined();
  expect(embeddings).toHaveLength(3 * 8);
});

test("a file of another architecture is refused by file and tensor", async () => {
  await writeTinyScorers(folder());
  const confused: [string, string, string][] = [
    ["hps", "imagereward.pt", "imagereward.pt"],
    ["hps", "aesthetic.pth", "aesthetic.pth"],
    ["imagereward", "hps.pt", "is missing"],
    ["aesthetic", "hps.pt", "hps.pt"],
    ["pickscore", "hps.pt", "is no folder"],
  ];
  for (const [name, path, message] of confused) {
    await expect(open(name, path)).rejects.toThrow(message);
    await expect(open(name, path)).rejects.toMatchObject({ name: "SpinError" });
  }
  // Without a description beside it, the file has to be the published one.
  await rm(join(folder(), "open_clip_config.json"));
  await expect(open("hps", "hps.pt")).rejects.toThrow("open_clip's ViT-H-14 makes it");
  const relu = [{ name: "layers.3.weight", dtype: "F32" as const, shape: [1], data: Float32Array.of(1) }];
  await writeTorchFile(join(folder(), "relu.pth"), relu);
  await expect(open("aesthetic", "relu.pth")).rejects.toThrow("is missing");
});

test.each([
  ["hps", "hps.pt", ["vocab.json", "pickscore/vocab.json"], "vocab.json and merges.txt"],
  ["imagereward", "imagereward.pt", ["bert-base-uncased/vocab.txt"], "vocab.txt"],
  ["aesthetic", "aesthetic.pth", ["clip-vit-large-patch14/config.json"], "config.json and model.safetensors"],
])(
  "%s without what lies beside it says what, where it looked, and where it is published",
  async (name, path, removed, what) => {
    await writeTinyScorers(folder());
    for (const file of removed) await rm(join(folder(), file));
    if (name === "hps") await rm(join(folder(), "clip-vit-large-patch14"), { recursive: true });
    const failure = open(name, path);
    await expect(failure).rejects.toMatchObject({ kind: "notFound" });
    await expect(failure).rejects.toThrow(`${path} needs ${what}`);
    await expect(failure).rejects.toThrow(folder());
    await expect(failure).rejects.toThrow("https://huggingface.co/");
  },
);

test("scorers are found under MODEL_DIR alone: by path, by name, or as the only file of a folder", async () => {
  await writeTinyScorers(folder());
  const locate = (name: string, path?: string) => locateScorer(folder(), name, path, "spec.scorers[0]");
  expect((await locate("pickscore")).path).toMatch(/pickscore$/);
  await cp(join(folder(), "hps.pt"), join(folder(), "hps/HPS_v2.1.pt"), { recursive: true });
  expect((await locate("hps")).path).toMatch(/HPS_v2\.1\.pt$/);
  await writeFile(join(folder(), "hps/HPS_v2.pt"), "");
  await expect(locate("hps")).rejects.toThrow("several: HPS_v2.1.pt, HPS_v2.pt");
  await expect(locate("hps", "pickscore")).rejects.toThrow("no file of weights");
  await expect(locate("hps", "none.pt")).rejects.toMatchObject({ kind: "notFound" });
  await expect(locate("hps", "../hps.pt")).rejects.toMatchObject({ kind: "invalid" });
  await expect(locate("hps", "/etc/passwd")).rejects.toMatchObject({ kind: "invalid" });
});

test("scorers that do not fit together are loaded one after another, and the same file stays", async () => {
  await writeTinyScorers(folder());
  const resident = new ResidentScorers(20_000);
  for (const name of ["pickscore", "hps"]) {
    const opened = await open(name, name === "hps" ? "hps.pt" : name);
    expect(opened.weightBytes).toBeGreaterThan(10_000);
    await resident.put(name, `digest of ${name}`, opened, { threads: 1 });
  }
  expect(resident.loaded()).toEqual([]);
  const first = await resident.get("pickscore");
  expect(await resident.get("pickscore")).toBe(first);
  await resident.get("hps");
  expect(resident.loaded()).toEqual(["hps"]);
  expect((await (await resident.get("pickscore")).score([picture("a")])).scores).toHaveLength(1);
  expect(resident.loaded()).toEqual(["pickscore"]);
  await resident.put("pickscore", "another digest", await open("pickscore", "pickscore"), {});
  expect(resident.loaded()).toEqual([]);
  await expect(resident.get("none")).rejects.toMatchObject({ kind: "internal" });
});
