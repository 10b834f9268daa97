import type { Shape } from "../graph/value.js";
import { chooseLoraLayers, createLora, DEFAULT_LORA_TARGETS } from "./lora.js";

const shapes = new Map<string, Shape>([
  ["down_blocks.0.attn1.to_q.weight", [4, 4]],
  ["down_blocks.0.attn1.to_k.weight", [4, 4]],
  ["down_blocks.0.attn1.to_v.weight", [4, 4]],
  ["down_blocks.0.attn1.to_out.0.weight", [4, 4]],
  ["down_blocks.0.attn1.to_out.0.bias", [4]],
  ["down_blocks.0.conv1.weight", [8, 4, 3, 3]],
  ["down_blocks.0.norm1.weight", [4]],
  ["conv_in.weight", [4, 2, 3, 3]],
  ["mid_block.conv_in.weight", [4, 2, 1, 1]],
]);
const choose = (...targetModules: string[]) => [
  ...chooseLoraLayers(shapes, { rank: 2, alpha: 3, targetModules }).keys(),
];

test("layers are chosen by their names or what these end with, in the model's order", () => {
  expect(choose(...DEFAULT_LORA_TARGETS)).toEqual(
    ["to_q", "to_k", "to_v", "to_out.0"].map((end) => `down_blocks.0.attn1.${end}`),
  );
  expect(choose("conv_in", "conv1")).toEqual(["down_blocks.0.conv1", "conv_in", "mid_block.conv_in"]);
  expect(choose("mid_block.conv_in")).toEqual(["mid_block.conv_in"]);
});

test.each(["to_out", "norm1", "o_q", "attn1", "conv_in.weight", ""])(
  "the target %j, which no layer has, is refused by name",
  (target) => {
    expect(() => choose("to_q", target)).toThrow(`called "${target}"`);
    expect(() => choose("to_q", target)).toThrow(
      expect.objectContaining({ kind: "invalid", details: { field: "target_modules", remedy: expect.anything() } }),
    );
  },
);

test("a new adapter has numbers of its own in each A, and zeros in B", () => {
  const layers = chooseLoraLayers(shapes, { rank: 2, alpha: 3, targetModules: ["to_q", "conv1"] });
  const places: number[] = [];
  const { weights } = createLora(shapes, layers, (place) => {
    places.push(place);
    return () => place / 2;
  });
  expect(places).toEqual([0, 1]);
  const rounded = [...weights].map(([name, values]) => [name, values.length, Math.max(...values), Math.min(...values)]);
  expect(rounded).toEqual([
    ["down_blocks.0.attn1.to_q.lora_A.weight", 8, -0.5, -0.5],
    ["down_blocks.0.attn1.to_q.lora_B.weight", 8, 0, 0],
    ["down_blocks.0.conv1.lora_A.weight", 72, 0, 0],
    ["down_blocks.0.conv1.lora_B.weight", 16, 0, 0],
  ]);
});
