import { formatSeconds, Progress } from "./progress.js";

/** A progress line on a clock that the test sets. */
function recorded(isTTY: boolean) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const progress = new Progress("sampling", { isTTY, write: (text) => written.push(text) }, () => clock.ms);
  const at = (ms: number, done: number, total: number) => {
    clock.ms = ms;
    progress.update(done, total);
  };
  return { written, at, progress };
}

test("work of less than two seconds says nothing", () => {
  const { written, at, progress } = recorded(true);
  at(100, 1, 10);
  at(1900, 9, 10);
  progress.end();
  expect(written).toEqual([]);
});

test("the rest is told at the pace since the first unit, whatever came before it", () => {
  const { written, at } = recorded(false);
  at(60_000, 0, 50);
  at(61_000, 1, 50);
  at(71_000, 11, 50);
  expect(written).toEqual(["sampling 0/50, 1 min 00 s so far\n", "sampling 11/50, 39 s left\n"]);
});

test("in a terminal one line is written anew, and taken away at the end", () => {
  const { written, at, progress } = recorded(true);
  at(2000, 0, 0);
  at(2200, 1, 4);
  at(2400, 2, 4);
  progress.end();
  expect(written).toEqual(
    ["sampling, 2 s so far", "sampling 1/4, 2 s so far", "sampling 2/4, 0 s left", ""].map(
      (line) => `\r\x1b[2K${line}`,
    ),
  );
});

test("durations are in the units that a person would say", () => {
  expect([0.4, 59.6, 485, 12_000].map(formatSeconds)).toEqual(["0 s", "1 min 00 s", "8 min 05 s", "3 h 20 min"]);
});
