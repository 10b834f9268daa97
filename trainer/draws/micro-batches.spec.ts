import {
  DRAW_ADDED,
  DRAW_LATENT,
  DRAW_SPEC,
  DRAW_TEXT,
  drawBatch,
  xlDrawBatch,
} from "../../bench/fuzz/draw-batches.js";
import { samplingSpecDigest } from "../../core/service/digests.js";
import { type DrawBatch, SampleForm } from "../../proto/gen/spin/v1/sampling.js";
import { checkDraws, type Draws } from "./check-draws.js";
import { type MicroBatch, microBatches } from "./micro-batches.js";

const read = (batch: DrawBatch, spec = DRAW_SPEC) =>
  checkDraws(batch, batch.firstIndex, {
    spec,
    specDigest: samplingSpecDigest(spec),
    latent: DRAW_LATENT,
    text: DRAW_TEXT,
    numTrainTimesteps: 1000,
  });

async function cut(all: readonly Draws[], size: number, weightOf?: (t: number) => number): Promise<MicroBatch[]> {
  async function* source() {
    yield* all;
  }
  const found: MicroBatch[] = [];
  for await (const one of microBatches(source(), size, weightOf)) found.push(one);
  return found;
}

/** Rows of one input over all micro-batches, one behind another. */
const joined = (micro: readonly MicroBatch[], name: string) => micro.flatMap(({ feeds }) => Array.from(feeds[name]!));
const all = [0, 3].map((index) => read({ ...drawBatch(index), traceparent: `trace ${index}` }));
const weightOf = (timestep: number) => timestep / 8;

test.each([[1], [2], [3], [4], [6], [12]])("draws come in order in micro-batches of %d", async (size) => {
  const micro = await cut(all, size, weightOf);
  expect(micro).toHaveLength(12 / size);
  const sides = (pick: (draws: Draws) => Float32Array | Int32Array) => all.flatMap((draws) => Array.from(pick(draws)));
  expect(joined(micro, "real_xt")).toEqual(sides(({ real }) => real.noisyLatents));
  expect(joined(micro, "synthetic_target")).toEqual(sides(({ synthetic }) => synthetic!.target));
  expect(joined(micro, "synthetic_reference")).toEqual(sides(({ synthetic }) => synthetic!.referenceError!));
  expect(joined(micro, "real_timestep")).toEqual(sides(({ timesteps }) => timesteps));
  expect(joined(micro, "synthetic_timestep")).toEqual(joined(micro, "real_timestep"));
  expect(joined(micro, "weight")).toEqual(joined(micro, "real_timestep").map(weightOf));
  // Each sample's text states stand once for each of its two draws.
  const states = all.flatMap((draws) =>
    [0, 0, 1, 1, 2, 2].flatMap((i) => Array.from(draws.states.slice(15 * i, 15 * i + 15))),
  );
  expect(joined(micro, "encoder_hidden_states")).toEqual(states);
  expect(micro.flatMap(({ traceparents }) => traceparents)).toEqual(["trace 0", "trace 3"]);
});

test("references stay here when the feeds are handed over", async () => {
  const [micro] = await cut(all, 4, weightOf);
  const { real_reference: real, synthetic_reference: synthetic, weight } = micro!.feeds;
  expect(micro!.references).toEqual({ real, synthetic, weight });
  structuredClone(micro!.feeds, { transfer: Object.values(micro!.feeds).map(({ buffer }) => buffer as ArrayBuffer) });
  expect(micro!.references!.real).toHaveLength(4);
});

test("supervised draws feed one side and no weight", async () => {
  const spec = { ...DRAW_SPEC, form: SampleForm.SAMPLE_FORM_REAL_ONLY };
  const [micro] = await cut([read(drawBatch(0, spec), spec)], 3);
  expect(new Set(Object.keys(micro!.feeds))).toEqual(
    new Set(["real_xt", "real_target", "real_timestep", "encoder_hidden_states"]),
  );
  expect(micro!.references).toBeUndefined();
});

test("SDXL's conditions of a sample stand once for each of its draws", async () => {
  const batches = [0, 3].map((index) =>
    checkDraws(xlDrawBatch(index), index, {
      spec: DRAW_SPEC,
      specDigest: samplingSpecDigest(DRAW_SPEC),
      latent: DRAW_LATENT,
      text: DRAW_TEXT,
      added: DRAW_ADDED,
      numTrainTimesteps: 1000,
    }),
  );
  const micro = await cut(batches, 4, weightOf);
  for (const [name, part] of [
    ["text_embeds", "textEmbeds"],
    ["time_ids", "timeIds"],
  ] as const) {
    const rows = batches.flatMap(({ added }) => {
      const width = added![part].length / 3;
      return [0, 0, 1, 1, 2, 2].flatMap((i) => Array.from(added![part].slice(width * i, width * (i + 1))));
    });
    expect(joined(micro, name)).toEqual(rows);
  }
});
