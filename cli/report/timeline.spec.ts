import type { Span } from "../../core/service/read-spans.js";
import { timelineOf } from "./timeline.js";

const span = (
  name: string,
  service: string,
  start: number,
  end: number,
  attributes: Span["attributes"] = {},
): Span => ({
  name,
  service,
  id: `${name} ${start}`,
  parent: "",
  links: [],
  start: 1_000_000 + start,
  end: 1_000_000 + end,
  attributes,
});

test("work is told by lane, in seconds since the first, close stretches as one", () => {
  const { seconds, lanes } = timelineOf([
    span("worker draws", "spin-generator", 0, 2000),
    span("worker draws", "spin-generator", 2001, 4000),
    span("worker draws", "spin-generator", 5000, 6000),
    span("iteration", "spin-trainer", 500, 10_000, { "spin.iteration.number": 2 }),
    span("wait for draws", "spin-trainer", 600, 4000),
    span("worker add", "spin-trainer", 4000, 5000),
    span("some other span", "spin-trainer", 0, 99_000),
  ]);
  expect(seconds).toBe(10);
  expect(lanes.map(({ name }) => name)).toEqual(["stages", "trainer", "generator"]);
  expect(lanes[0]!.spans).toEqual([{ kind: "stage", label: "iteration 2", start: 0.5, end: 10 }]);
  expect(lanes[1]!.spans.map(({ kind }) => kind)).toEqual(["waiting", "computing"]);
  expect(lanes[2]!.spans.map(({ start, end }) => [start, end])).toEqual([
    [0, 4],
    [5, 6],
  ]);
});

test("generators that say which they are have a lane each", () => {
  const { lanes } = timelineOf([
    span("worker draws", "spin-generator b", 0, 10),
    span("worker draws", "spin-generator a", 0, 10),
  ]);
  expect(lanes.map(({ name }) => name)).toEqual(["generator a", "generator b"]);
});

test("an iteration whose label is known goes by it", () => {
  const iteration = span("iteration", "t", 0, 10, { "spin.iteration": "it", "spin.iteration.number": 1 });
  expect(timelineOf([iteration], new Map([["it", "spin-2"]])).lanes[0]!.spans[0]!.label).toBe("spin-2");
});

test("a trace without such work is an empty timeline", () => {
  expect(timelineOf([])).toEqual({ seconds: 0, lanes: [] });
});
