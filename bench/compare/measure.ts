import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Flags } from "./cases.js";
import { treeMemory } from "./process-tree.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Between two looks at a process's memory. */
const LOOK_MS = 200;
/** Lines of what a program said that are shown where it failed. */
const SHOWN_LINES = 8;

const outputSchema = z.object({
  ms: z.number(),
  all_ms: z.array(z.number()),
  peak_rss_mb: z.number(),
  /** What a program's libraries alone take, before a model is loaded; where it tells. */
  libraries_rss_mb: z.number().optional(),
  setup_ms: z.number(),
  settings: z.looseObject({ threads: z.number() }),
  parameters: z.number(),
  latent: z.array(z.number()),
  runtime: z.string(),
  processor: z.string().optional(),
});

/** What a benchmark printed; `peak_rss_mb` is that of the whole process tree. */
export type Measurement = z.infer<typeof outputSchema>;

/** A program that measures: its file, and the arguments before the flags. */
export type Program = readonly [file: string, ...args: string[]];

/**
 * Runs a benchmark to its end in a process of its own.
 * @throws Error with the end of what it wrote to standard error, where it fails or prints no measurement
 */
export async function measure([file, ...args]: Program, flags: Flags): Promise<Measurement> {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const all = [...args, "--json", ...given.flatMap(([name, value]) => [`--${name}`, String(value)])];
  const child = spawn(file, all, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let peak = 0;
  const look = async () => {
    peak = Math.max(peak, await treeMemory(child.pid!));
  };
  const timer = child.pid === undefined ? undefined : setInterval(() => void look(), LOOK_MS);
  try {
    const [[code], output, errors] = await Promise.all([once(child, "exit"), text(child.stdout), text(child.stderr)]);
    if (code !== 0) throw new Error(`${[file, ...all].join(" ")} ended with ${code}: ${lastLines(errors || output)}`);
    const measured = outputSchema.parse(JSON.parse(output.trim().split("\n").at(-1)!));
    return { ...measured, peak_rss_mb: Math.max(peak, measured.peak_rss_mb) };
  } finally {
    clearInterval(timer);
  }
}

function lastLines(output: string): string {
  return output.trim().split("\n").slice(-SHOWN_LINES).join("\n");
}
