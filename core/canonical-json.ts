import { createHash } from "node:crypto";
import { SpinError } from "./errors.js";

/** What JSON can hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * The one JSON text of a value by RFC 8785: members sorted by their names' UTF-16 code units, no white space, numbers
 * as ECMAScript writes them. Digests are taken over it, so that they depend on content alone.
 *
 * @throws SpinError `internal` for what JSON cannot hold (a number that is not finite, `undefined`, a bigint).
 */
export function canonicalJson(value: unknown): string {
  return write(value, "");
}

/** `sha256:` and 64 hexadecimal digits over the canonical JSON of a value. */
export function digestOf(value: unknown): string {
  return sha256Digest(canonicalJson(value));
}

/** `sha256:` and 64 hexadecimal digits over a text's UTF-8 bytes, or over bytes. */
export function sha256Digest(content: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function write(value: unknown, path: string): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item, index) => write(item, `${path}[${index}]`)).join(",")}]`;
  if (isRecord(value)) {
    const members = Object.keys(value)
      .sort((a, b) => (a < b ? -1 : 1))
      .map((key) => `${JSON.stringify(key)}:${write(value[key], path === "" ? key : `${path}.${key}`)}`);
    return `{${members.join(",")}}`;
  }
  throw new SpinError("internal", `canonical JSON cannot hold ${String(value)} at "${path}"`, { field: path });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
