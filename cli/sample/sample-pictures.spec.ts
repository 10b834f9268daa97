import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeImage } from "../../core/data/image.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { TINY_IMAGE_SIZE, writeTinyModel } from "../../test/support/tiny-model.js";
import { pictureFiles, samplePictures } from "./sample-pictures.js";

const folder = useTemporaryFolder();

test("pictures are made in a worker and written as PNG", async () => {
  const model = join(folder(), "model");
  await writeTinyModel(model);
  const settings = { model, prompt: "red", negativePrompt: "", steps: 2, guidance: 2, seed: 5n, eta: 0, count: 2 };
  const result = await samplePictures(settings, join(folder(), "out", "nested"));
  expect(result).toMatchObject({ width: TINY_IMAGE_SIZE, height: TINY_IMAGE_SIZE });
  expect(result.files).toEqual([0, 1].map((i) => join(folder(), "out", "nested", `00${i}.png`)));
  const pictures = await Promise.all(result.files.map(async (file) => decodeImage(await readFile(file))));
  expect(pictures[0]!.data).not.toEqual(pictures[1]!.data);
});

test("what the worker throws comes out as it was", async () => {
  const settings = {
    model: folder(),
    prompt: "",
    negativePrompt: "",
    steps: 2,
    guidance: 2,
    seed: 0n,
    eta: 0,
    count: 1,
  };
  await expect(samplePictures(settings, "a.png")).rejects.toMatchObject({ kind: "notFound" });
});

test("one picture goes to the file, several to a folder", () => {
  expect(pictureFiles("fox.png", 1)).toEqual(["fox.png"]);
  expect(pictureFiles("foxes", 2)).toEqual(["foxes/000.png", "foxes/001.png"]);
  expect(pictureFiles("runs/v1.5", 1)).toEqual(["runs/v1.5/000.png"]);
  expect(pictureFiles("odd.png/", 1)).toEqual(["odd.png/000.png"]);
});

test("several pictures in one file, or in another format, are refused", () => {
  expect(() => pictureFiles("fox.png", 2)).toThrow("name a folder");
  expect(() => pictureFiles("fox.JPG", 1)).toThrow("end its name in .png");
});
