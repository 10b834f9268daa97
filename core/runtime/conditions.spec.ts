import { addedWidths, joinConditions, pickConditions, repeatConditions, timeIds, wholePicture } from "./conditions.js";

const tensor = (shape: number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });
const xl = {
  states: tensor([2, 1, 2], 1, 2, 3, 4),
  textEmbeds: tensor([2, 1], 5, 6),
  timeIds: tensor([2, 1], 7, 8),
};

test("time_ids are original size, corner of the crop, and size now, heights first", () => {
  const cut = { originalSize: [300, 400], cropTopLeft: [5, 60], targetSize: [256, 256] } as const;
  const { shape, data } = timeIds([cut, wholePicture(64, 32)]);
  expect(shape).toEqual([2, 6]);
  expect([...data]).toEqual([300, 400, 5, 60, 256, 256, 64, 32, 0, 0, 64, 32]);
});

test("rows of all parts stay together when they are joined, picked and repeated", () => {
  const picked = pickConditions(xl, [1, 0, 1]);
  expect(picked.states).toEqual(tensor([3, 1, 2], 3, 4, 1, 2, 3, 4));
  expect([...picked.textEmbeds!.data, ...picked.timeIds!.data]).toEqual([6, 5, 6, 8, 7, 8]);
  expect(joinConditions([pickConditions(xl, [1]), pickConditions(xl, [0, 1])])).toEqual(picked);
  expect(repeatConditions(pickConditions(xl, [0]), 2)).toEqual(pickConditions(xl, [0, 0]));
});

test("conditions of text alone get no other parts", () => {
  expect(Object.keys(joinConditions([{ states: xl.states }]))).toEqual(["states"]);
});

test("the pooled text has what the sizes leave of the projection", () => {
  expect(addedWidths({ timeEmbedDim: 256, projectionInputDim: 2816 })).toEqual({ textEmbeds: 1280, timeIds: 6 });
  expect(addedWidths(undefined)).toBeUndefined();
});
