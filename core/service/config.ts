import { z } from "zod";
import { SpinError } from "../errors.js";
import { describeIssues } from "./validation.js";

/** One value that a person sets: by environment variable, or by a flag of the command line, which wins. */
export interface Setting<T> {
  readonly variable: string;
  /** Reads the text; its default is the setting's default. */
  readonly schema: z.ZodType<T, string | undefined>;
}

/** The values of a table of settings. */
export type Config<Settings> = {
  readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer T> ? T : never;
};

/** A setting for `readConfig`. */
export function setting<T>(variable: string, schema: z.ZodType<T, string | undefined>): Setting<T> {
  return { variable, schema };
}

/**
 * Reads settings from the environment and from flags (by the settings' names, as commander's options are). An empty
 * text is as good as none.
 *
 * @throws SpinError `invalid` that tells of every wrong one its variable, what was expected and what came.
 */
export function readConfig<Settings extends Readonly<Record<string, Setting<unknown>>>>(
  settings: Settings,
  flags: Readonly<Record<string, string | undefined>> = {},
  env: NodeJS.ProcessEnv = process.env,
): Config<Settings> {
  const values: Record<string, unknown> = {};
  const wrong: { source: string; message: string }[] = [];
  for (const [name, { variable, schema }] of Object.entries(settings)) {
    const flag = flags[name];
    const given = (flag ?? env[variable]) || undefined;
    const result = schema.safeParse(given);
    if (result.success) values[name] = result.data;
    else {
      const source =
        flag === undefined ? variable : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      wrong.push({ source, message: describeIssues(result.error.issues, given)[0]!.message });
    }
  }
  if (wrong.length === 0) return values as Config<Settings>;
  const sentences = wrong.map(({ source, message }) => `${source}: ${message}`);
  throw new SpinError("invalid", `configuration: ${sentences.join("; ")}`, { field: wrong[0]!.source });
}

/** A whole number within bounds, both included. */
export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  const check = (text: string) => /^-?\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
  return z
    .string(`a whole number from ${min} to ${max}`)
    .refine(check, `a whole number from ${min} to ${max}`)
    .transform(Number);
}

/** Whether something is on: `1` or `true`, `0` or `false`. As a flag it stands alone. */
export const switchedOn: z.ZodType<boolean, string> = z
  .enum(["0", "1", "false", "true"], "1 or true, 0 or false")
  .transform((text) => text === "1" || text === "true");

/** A TCP port; 0: any free one. */
export const port: z.ZodType<number, string> = wholeNumber(0, 65_535);

/** A host with a port, as `trainer:50051` or `[::1]:50051`. */
export const address: z.ZodType<string, string> = z
  .string("an address, as host:port")
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, "an address, as host:port");

/** One or more addresses between commas. */
export const addresses: z.ZodType<string[], string> = z
  .string("addresses between commas, as host:port")
  .refine(
    (list) => split(list).every((part) => address.safeParse(part).success),
    "addresses between commas, as host:port",
  )
  .transform(split);

function split(list: string): string[] {
  return list.split(",").map((part) => part.trim());
}

/** A path or another text that is not empty. */
export const text: z.ZodType<string, string> = z.string("a text");
