import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod";

/** The time that one operator takes in a run of a session. */
export interface OperatorTime {
  readonly operator: string;
  /** Nodes per run. */
  readonly nodes: number;
  /** Milliseconds per run. */
  readonly ms: number;
}

/** Where a session's time goes. */
export interface SessionProfile {
  /** What the session is for, as `training`; may be empty. */
  readonly name: string;
  /** Runs that the figures are averages of. */
  readonly runs: number;
  /** Milliseconds of a run, all told. */
  readonly ms: number;
  /** The slowest first. */
  readonly operators: readonly OperatorTime[];
}

/** onnxruntime's profile: a list of events in the format of Chrome's tracing, times in microseconds. */
const eventSchema = z.looseObject({
  cat: z.string().optional(),
  name: z.string().optional(),
  ts: z.number().default(0),
  dur: z.number().default(0),
  args: z.looseObject({ op_name: z.string().optional() }).optional(),
});
type ProfileEvent = z.infer<typeof eventSchema>;

/** Reads the profiles `<prefix><session>_<date>.json` that sessions wrote when they were released, those of one session together. */
export async function readProfiles(prefix: string): Promise<SessionProfile[]> {
  const folder = dirname(prefix);
  const events = new Map<string, ProfileEvent[][]>();
  for (const file of (await readdir(folder)).sort()) {
    const name = new RegExp(`^${basename(prefix)}([a-z]*)_.*\\.json$`).exec(file)?.[1];
    if (name === undefined) continue;
    const parsed = z.array(eventSchema).parse(JSON.parse(await readFile(join(folder, file), "utf8")));
    events.set(name, [...(events.get(name) ?? []), parsed]);
  }
  return [...events].map(([name, files]) => summarizeProfile(name, files));
}

/** Averages over all runs but each file's first, in which memory is laid out (unless there is no other). */
export function summarizeProfile(name: string, files: readonly (readonly ProfileEvent[])[]): SessionProfile {
  let [runs, total] = [0, 0];
  const byOperator = new Map<string, { nodes: number; time: number }>();
  for (const events of files) {
    const all = events.filter(({ name }) => name === "model_run");
    const counted = all.length > 1 ? all.slice(1) : all;
    const from = counted[0]?.ts ?? 0;
    runs += counted.length;
    total += counted.reduce((sum, { dur }) => sum + dur, 0);
    for (const { cat, name, ts, dur, args } of events) {
      if (cat !== "Node" || !name?.endsWith("_kernel_time") || ts < from) continue;
      const operator = args?.op_name ?? "unknown";
      const sum = byOperator.get(operator) ?? { nodes: 0, time: 0 };
      byOperator.set(operator, { nodes: sum.nodes + 1, time: sum.time + dur });
    }
  }
  const perRun = 1000 * Math.max(1, runs);
  const operators = [...byOperator]
    .map(([operator, { nodes, time }]) => ({ operator, nodes: nodes / Math.max(1, runs), ms: time / perRun }))
    .sort((a, b) => b.ms - a.ms);
  return { name, runs, ms: total / perRun, operators };
}

/** The profiles as text: a table for each session. */
export function formatProfiles(profiles: readonly SessionProfile[]): string {
  return `${profiles.map(formatProfile).join("\n\n")}\n`;
}

function formatProfile({ name, runs, ms, operators }: SessionProfile): string {
  const inside = operators.reduce((sum, operator) => sum + operator.ms, 0);
  const row = (cells: readonly string[]) =>
    [cells[0]!.padEnd(28), ...cells.slice(1).map((cell) => cell.padStart(10))].join("");
  const line = (title: string, nodes: string, time: number) =>
    row([title, nodes, time.toFixed(2), `${((100 * time) / ms).toFixed(1)} %`]);
  return [
    `${name || "UNet"}: ${ms.toFixed(2)} ms a run, average of ${runs}`,
    row(["operator", "nodes", "ms", "share"]),
    ...operators.map(({ operator, nodes, ms }) => line(operator, String(Math.round(nodes)), ms)),
    line("between operators", "", ms - inside),
  ].join("\n");
}
