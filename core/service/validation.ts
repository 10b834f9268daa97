import type { z } from "zod";
import { SpinError } from "../errors.js";

/** One thing that is wrong: where, and in one sentence what was expected and what came. */
export interface Violation {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Checks a request against a schema and returns the schema's output. Fields are named as in the proto files, as
 * `spec.sampling.num_steps`.
 *
 * @throws SpinError `invalid`, naming the first wrong field in `details.field` and all of them in the message.
 */
export function checkRequest<T>(schema: z.ZodType<T>, request: unknown): T {
  const result = schema.safeParse(request);
  if (result.success) return result.data;
  const violations = describeIssues(result.error.issues, request);
  const sentences = violations.map((violation) => `${protoPath(violation.path, request)}: ${violation.message}`);
  // A schema of the whole may look at a part again.
  throw new SpinError("invalid", [...new Set(sentences)].join("; "), {
    field: protoPath(violations[0]!.path, request),
  });
}

/** zod's issues with a value as sentences of the form `expected …, got …`. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], value: unknown): Violation[] {
  return issues.map((issue) => ({
    path: issue.path,
    message: `expected ${expectation(issue)}, got ${show(issue.path.reduce(memberOf, value))}`,
  }));
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  return (value as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key];
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: "a message",
  int: "a whole number",
  number: "a number",
  string: "a text",
};

function expectation(issue: z.core.$ZodIssue): string {
  if (!/^(Invalid|Too|Unrecognized) /.test(issue.message)) return issue.message; // The schema's own words.
  switch (issue.code) {
    case "invalid_type":
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case "too_small":
      return `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${unitOf(issue.origin)}`;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    default:
      return `something else (${issue.message})`;
  }
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " entries" : "";
}

function show(input: unknown): string {
  if (input === undefined) return "nothing";
  const text =
    typeof input === "string" ? JSON.stringify(input) : typeof input === "object" ? "something else" : String(input);
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** `["spec", "sampling", "numSteps", 0]` as `spec.sampling.num_steps[0]`. */
function protoPath(path: readonly PropertyKey[], request: unknown): string {
  return fieldPath(path, request)
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${snakeCase(String(part))}`,
    )
    .join("");
}

/** In the messages here a oneof is `{ $case, value }` under its own name; in the proto file the chosen field stands in that place. */
function fieldPath(path: readonly PropertyKey[], request: unknown): PropertyKey[] {
  const fields: PropertyKey[] = [];
  let holder = request;
  for (const part of path) {
    const chosen = memberOf(holder, "$case");
    if (part === "value" && typeof chosen === "string") fields.splice(-1, 1, chosen);
    else fields.push(part);
    holder = memberOf(holder, part);
  }
  return fields;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
