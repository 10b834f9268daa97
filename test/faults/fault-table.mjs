// node test/faults/fault-table.mjs FILE…: the table of docs/reliability.md, from the lines that `npm run test:faults -- --journal FILE` has written.
import { readFileSync } from "node:fs";
import process from "node:process";

/** The middle value; of an even number of values, the lower one of the two in the middle. */
function median(values) {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1];
}

const lines = process.argv.slice(2).flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
const runs = lines.map((line) => JSON.parse(line));
const nameOf = ({ service, kind }) => `${service}\t${kind}`;
const extraOf = ({ seconds, undisturbedSeconds }) => seconds - undisturbedSeconds;
const byName = (a, b) => a.localeCompare(b, "en");
const together = runs.filter(({ alone }) => !alone);
const signed = (seconds) => (seconds === undefined ? "–" : `${seconds < 0 ? "−" : "+"}${Math.abs(seconds).toFixed(1)}`);

const rows = [...new Set(runs.flatMap(({ faults }) => faults.map(nameOf)))].sort(byName).map((name) => {
  const has = ({ faults }) => faults.some((fault) => nameOf(fault) === name);
  const times = together.flatMap(({ faults }) => faults).filter((fault) => nameOf(fault) === name).length;
  const alone = runs.filter((run) => run.alone && has(run));
  const [service, kind] = name.split("\t");
  const cost = `${signed(median(alone.map(extraOf)))} (${alone.length})`;
  return `| ${service} | ${kind} | ${times} | ${signed(median(together.filter(has).map(extraOf)))} | ${cost} |`;
});
const faults = together.reduce((sum, run) => sum + run.faults.length, 0);
const seconds = together.map(({ seconds }) => seconds);
const attempts = together.reduce((sum, run) => sum + run.attempts, 0);
process.stdout.write(
  [
    "| service | fault | times | runs that had it, s | alone, s (runs) |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
    `${together.length} runs, ${faults} faults, ${attempts} attempts at iterations; a run took ${median(seconds)?.toFixed(1)} s in the median, ` +
      `an undisturbed one ${median(runs.map((run) => run.undisturbedSeconds))?.toFixed(1)} s.`,
    "",
  ].join("\n"),
);
