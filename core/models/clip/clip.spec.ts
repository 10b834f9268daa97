import { listCases, loadCase } from "../../../test/reference/cases.js";
import { openModelFolder, requireComponent } from "../../checkpoint/model-folder.js";
import * as ops from "../../graph/ops/index.js";
import { createInference } from "../../runtime/inference.js";
import { clipImageEmbeds, clipLogits, clipTextEmbeds } from "./clip.js";
import { endPositions } from "./text.js";

const cases = listCases().filter((id) => id.startsWith("score/clip"));

test.each(cases)("%s: embeddings and scores are transformers'", async (id) => {
  const reference = loadCase(id);
  const { config, weights } = requireComponent(await openModelFolder(reference.model("clip")), "clip");
  const ids = await reference.tensor("in.ids");
  const pixels = await reference.tensor("in.pixel_values");
  const [prompts, length] = ids.shape as [number, number];
  const session = await createInference((p) => {
    const text = clipTextEmbeds(p, config, ops.input("ids", ids.shape, "int64"), ops.input("ends", [prompts], "int64"));
    const image = clipImageEmbeds(p, config, ops.input("pixels", pixels.shape));
    return { "out.text_embeds": text, "out.image_embeds": image, "out.pickscore": clipLogits(p, text, image) };
  }, weights);
  const values = BigInt64Array.from(Array.from(ids.data, Number), BigInt);
  const rows = Array.from({ length: prompts }, (_, i) => values.subarray(i * length, (i + 1) * length));
  const got = await session.run({
    ids: values,
    ends: endPositions(rows, config.text),
    pixels: pixels.data as Float32Array,
  });
  await session.release();
  for (const [name, result] of Object.entries(got)) {
    const { atol = 0, rtol = 0 } = reference.expected[name]!;
    const expected = await reference.floats(name);
    expect(result).toHaveLength(expected.length);
    const off = result.findIndex((value, i) => Math.abs(value - expected[i]!) > atol + rtol * Math.abs(expected[i]!));
    expect([name, off]).toEqual([name, -1]);
  }
});
