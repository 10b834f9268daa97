import { readFile, stat } from "node:fs/promises";
import * as z from "zod";
import { toIoError } from "./checkpoint/io-errors.js";
import { SpinError } from "./errors.js";

/** No configuration of a model comes near this; vocabularies stay below it too. */
const MAX_JSON_BYTES = 64_000_000;

/** Largest width or count of a model: beyond any real one, small enough that a hostile file costs nothing. */
export const MAX_SIZE = 2 ** 20;
/** Largest number of layers of a model. */
export const MAX_DEPTH = 256;

/**
 * Reads a JSON file as Python writes it: `NaN` and `±Infinity`, which diffusers puts into scheduler configurations,
 * become null.
 * @throws SpinError "notFound" for a file that is not there, "corrupt" for one that is not JSON, and as `toIoError`
 */
export async function readJsonFile(file: string): Promise<unknown> {
  return parseJsonText(await readConfigText(file), file);
}

async function readConfigText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size <= MAX_JSON_BYTES) return await readFile(file, "utf8");
  } catch (error) {
    const failure = toIoError(error, file, "read");
    if (failure.kind !== "notFound") throw failure;
    throw new SpinError("notFound", `${file} cannot be read`, {
      file,
      cause: error,
      remedy: "check the path, or download or copy the whole model folder",
    });
  }
  throw new SpinError("corrupt", `${file} has more than the ${MAX_JSON_BYTES} bytes allowed`, { file });
}

function parseJsonText(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    try {
      // Strings are matched too, and kept, so that nothing inside them is taken for a number.
      const readable = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (found) =>
        found.startsWith('"') ? found : "null",
      );
      return JSON.parse(readable);
    } catch {
      throw new SpinError(
        "corrupt",
        `${file} is not JSON (${error instanceof Error ? error.message : String(error)})`,
        {
          file,
          cause: error,
          remedy: "download or copy it again",
        },
      );
    }
  }
}

/**
 * Checks a configuration against its schema.
 * @throws SpinError "invalid" naming the file, each offending key and what came
 */
export function parseConfig<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join(".")}: ${message}` : message,
  );
  throw new SpinError("invalid", `${file}: ${problems.join("; ")}`, {
    file,
    field: result.error.issues[0]?.path.join("."),
    remedy: "use a supported model, or correct the file",
  });
}

/**
 * Reads a message from the JSON that it was kept as.
 * @param read the generated code's `fromJSON`, which throws errors of its own
 * @throws SpinError "corrupt" naming the file
 */
export function parseMessage<T>(read: (json: unknown) => T, json: unknown, file: string): T {
  try {
    return read(json);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SpinError("corrupt", `${file} does not hold what it was written with (${reason})`, {
      file,
      cause,
      remedy: "restore it from a copy",
    });
  }
}

/** A setting of which only these values are supported; an omitted one, or null, has the first. */
export function only<const T extends string | number | boolean>(first: T, ...others: readonly T[]) {
  const supported: readonly T[] = [first, ...others];
  return z
    .unknown()
    .optional()
    .transform((value, context): T => {
      const found = supported.find((candidate) => candidate === (value ?? first));
      if (found !== undefined) return found;
      context.addIssue({ code: "custom", message: `is ${JSON.stringify(value)}, supported: ${supported.join(", ")}` });
      return z.NEVER;
    });
}

/** A setting that is supported only when it is off: omitted, null or false. */
export function unsupported() {
  return z
    .unknown()
    .optional()
    .refine((value) => value === undefined || value === null || value === false, {
      error: ({ input }) => `is ${JSON.stringify(input)}, which is not supported (supported: null)`,
    });
}
