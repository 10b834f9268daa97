import { type Point, renderLineChart, runningMean, thinned } from "./line-chart.js";

const line = (count: number, value: (i: number) => number): Point[] =>
  Array.from({ length: count }, (_, i) => [i + 1, value(i)] as const);

function render(points: readonly Point[]): string {
  return renderLineChart({
    title: "Loss",
    spokenTitle: "Loss",
    series: [{ label: "loss", className: "s0", points }],
  }).html;
}

/** Coordinates of every point of every polyline. */
function drawn(svg: string): number[][] {
  return [...svg.matchAll(/points="([^"]*)"/g)].flatMap(([, points]) =>
    points!.split(" ").map((pair) => pair.split(",").map(Number)),
  );
}

test("every point is drawn inside the frame, with a mean over the noise", () => {
  const svg = render(line(100, (i) => Math.sin(i) / (i + 1)));
  expect(svg).toContain('class="each"');
  expect(svg).toContain('class="mean"');
  const points = drawn(svg);
  expect(points).toHaveLength(200);
  for (const [x, y] of points) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x).toBeLessThanOrEqual(272);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y).toBeLessThanOrEqual(168);
  }
});

test("a few points are joined as they are", () => {
  const svg = render(line(5, (i) => i));
  expect(svg).not.toContain('class="each"');
  expect(drawn(svg)).toHaveLength(5);
});

test("a value that is no number is left out instead of breaking the chart", () => {
  expect(render([...line(5, (i) => i), [6, Number.NaN]])).not.toContain("NaN");
});

test("no steps at all say so", () => {
  expect(render([])).toContain("No steps.");
});

test("the reference is within the axis even where no value comes near it", () => {
  const svg = renderLineChart({
    title: "Loss",
    spokenTitle: "Loss",
    series: [{ label: "loss", className: "s0", points: line(5, () => 0.1) }],
    reference: { value: 0.69, label: "ln 2" },
  }).html;
  const y = Number(/class="reference"[^>]*y1="([\d.]+)"/.exec(svg)?.[1]);
  expect(y).toBeGreaterThanOrEqual(12);
  expect(y).toBeLessThan(144);
  expect(svg).toContain(">ln 2<");
});

test("a running mean starts at the first value itself and ends on an average", () => {
  const means = runningMean(
    [
      [1, 0],
      [2, 3],
      [3, 3],
      [4, 3],
      [5, 9],
    ],
    3,
  );
  expect(means).toEqual([
    [1, 0],
    [2, 2],
    [3, 3],
    [4, 5],
    [5, 6],
  ]);
});

test("long curves are averaged in runs, short ones kept", () => {
  const points = line(1000, (i) => i % 2);
  const short = thinned(points);
  expect(short).toHaveLength(200);
  expect(short[0]).toEqual([3, 0.4]);
  expect(thinned(points.slice(0, 240))).toHaveLength(240);
});
