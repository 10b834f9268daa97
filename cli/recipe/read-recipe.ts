import { readFile } from "node:fs/promises";
import { type Document, isNode, LineCounter, parse, parseDocument } from "yaml";
import type { z } from "zod";
import { toIoError } from "../../core/checkpoint/io-errors.js";
import { SpinError } from "../../core/errors.js";
import { describeIssues } from "../../core/service/validation.js";
import { type Recipe, recipe } from "./recipe-schema.js";

/** What YAML allows and a recipe does not is told as a mistake, not as a warning of the parser. */
const QUIET = { logLevel: "error" } as const;

/** A value that is set from outside: `evaluation.maxPrompts=32`. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Reads `key=value`, with dots in the key for nested ones; the value as YAML has it, and null takes the key away. @throws SpinError `invalid` */
export function parseOverride(text: string): Override {
  const [, key, value] = /^([A-Za-z][A-Za-z0-9.]*)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new SpinError("invalid", `--set: expected key=value, got ${JSON.stringify(text)}`, { field: "set" });
  }
  try {
    return { path: key.split("."), value: parse(value, QUIET) };
  } catch (cause) {
    throw new SpinError("invalid", `--set ${key}: the value is no YAML (${(cause as Error).message})`, { field: key });
  }
}

/**
 * Reads a recipe with values set from outside.
 * @throws SpinError `notFound` for a missing file; `invalid` that names for every mistake the line, the key, what was expected and what came
 */
export async function readRecipe(file: string, overrides: readonly Override[] = []): Promise<Recipe> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw toIoError(error, file, "read");
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { ...QUIET, lineCounter: lines, prettyErrors: false });
  const wrong = document.errors.map(({ message, pos }) => `line ${lines.linePos(pos[0]).line}: ${message}`);
  if (wrong.length > 0) throw malformed(file, wrong);
  const value = plain(document, file) ?? {};
  for (const { path, value: set } of overrides) put(value, path, set);
  const result = recipe.safeParse(value);
  if (!result.success) throw malformed(file, mistakes(result.error.issues, value, document, lines, overrides));
  const { select, iterations } = result.data;
  if (select !== undefined && iterations !== 1 && !(Array.isArray(iterations) && iterations.length === 1)) {
    throw malformed(file, ["select: expected one iteration to choose from, there are more"]);
  }
  return result.data;
}

/** @throws SpinError `invalid` where an alias leads nowhere, or to more than a hundred copies */
function plain(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw malformed(file, [(error as Error).message]);
  }
}

/** Each mistake with its line, or with --set where it came from there. */
function mistakes(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  document: Document.Parsed,
  lines: LineCounter,
  overrides: readonly Override[],
): string[] {
  const sentences = (issue: z.core.$ZodIssue): string[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const path = [...issue.path, key];
        return `${placeOf(path, document, lines, overrides)}${path.join(".")}: there is no such key; ${known(issue.path)}`;
      });
    }
    // Of a list of settings the reasons are in the entries.
    if (issue.code === "invalid_union" && Array.isArray(issue.path.reduce(memberOf, value))) {
      const inner = issue.errors.at(-1) ?? [];
      return inner.flatMap((one) => sentences({ ...one, path: [...issue.path, ...one.path] } as z.core.$ZodIssue));
    }
    const [{ message } = { message: issue.message }] = describeIssues([issue], value);
    return [`${placeOf(issue.path, document, lines, overrides)}${issue.path.join(".")}: ${message}`];
  };
  return issues.flatMap(sentences);
}

function known(path: readonly PropertyKey[]): string {
  const [first] = path;
  const shape = first === undefined || first === "iterations" ? recipe.shape : recipe.shape.evaluation.unwrap().shape;
  return `known are ${Object.keys(shape).join(", ")}`;
}

/** `line 7: `, or `--set `; empty for what is not there. */
function placeOf(
  path: readonly PropertyKey[],
  document: Document.Parsed,
  lines: LineCounter,
  overrides: readonly Override[],
): string {
  if (overrides.some((override) => override.path.join(".") === path.join("."))) return "--set ";
  const node: unknown = path.length === 0 ? undefined : document.getIn(path, true);
  return isNode(node) && node.range ? `line ${lines.linePos(node.range[0]).line}: ` : "";
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  return (value as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key];
}

function put(target: unknown, path: readonly string[], value: unknown): void {
  let holder = target as Record<string, unknown>;
  for (const key of path.slice(0, -1)) {
    const next = holder[key];
    if (typeof next !== "object" || next === null) holder[key] = {};
    holder = holder[key] as Record<string, unknown>;
  }
  if (value === null) delete holder[path.at(-1)!];
  else holder[path.at(-1)!] = value;
}

function malformed(file: string, mistakes: readonly string[]): SpinError {
  return new SpinError("invalid", `${file}: ${mistakes.join("; ")}`, {
    file,
    remedy: "docs/recipes.md tells all keys",
  });
}
