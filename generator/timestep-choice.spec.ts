import { createPhiloxStream } from "../core/diffusion/philox.js";
import { choosePositions, type TimestepRule } from "./timestep-choice.js";

const stream = (index: number) => createPhiloxStream(7n, { iteration: 1, index, purpose: 2 });

test("all positions come in order", () => {
  expect(choosePositions("all", 4, 4, stream(0))).toEqual([0, 1, 2, 3]);
});

test("stratified draws fall into intervals of their own", () => {
  for (let index = 0; index < 50; index++) {
    const positions = choosePositions("stratified", 5, 1000, stream(index));
    expect(positions.map((position) => Math.floor(position / 200))).toEqual([0, 1, 2, 3, 4]);
  }
});

test.each<[TimestepRule, number, number]>([
  ["uniform", 3, 8],
  ["stratified", 3, 8],
  ["stratified", 12, 8],
])("%s, %i draws: each of %i positions is equally likely", (rule, draws, count) => {
  const samples = 3000;
  const counts = new Array<number>(count).fill(0);
  for (let index = 0; index < samples; index++) {
    for (const position of choosePositions(rule, draws, count, stream(index))) counts[position]! += 1;
  }
  const expected = (samples * draws) / count;
  for (const found of counts) expect(Math.abs(found / expected - 1)).toBeLessThan(0.1);
});
