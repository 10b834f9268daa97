import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { SpinError } from "../../errors.js";
import { describeIssues } from "../validation.js";
import { ROLES, type Role } from "./roles.js";

/** Who a caller is, by the token that it showed. */
export interface Principal {
  /** As the tokens file has it. */
  readonly name: string;
  readonly role: Role;
}

const entry = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "1 to 64 characters of [A-Za-z0-9._-]"),
  role: z.enum(ROLES),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "the token's SHA-256 in 64 hexadecimal digits"),
  expires: z.iso.datetime({ offset: true, error: "a time as 2027-01-31T00:00:00Z" }),
});
const fileSchema = z.strictObject({ tokens: z.array(entry).max(10_000) });

/** A line of the tokens file: never the token, only what it hashes to. */
export type TokenEntry = z.infer<typeof entry>;

/** Longest token that is looked at, in characters. */
const MAX_TOKEN = 512;
const REMEDY = "send `authorization: Bearer <token>` with a token that `spin-diffusion keys token` made";

interface KnownToken {
  readonly hash: Buffer;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly principal: Principal;
}

/** The tokens that open a service. */
export class Tokens {
  readonly #entries: readonly KnownToken[];

  constructor(entries: readonly TokenEntry[]) {
    this.#entries = entries.map(({ name, role, sha256, expires }) => ({
      hash: Buffer.from(sha256, "hex"),
      expires: Date.parse(expires),
      principal: { name, role },
    }));
  }

  /**
   * Who sends these `authorization` headers. Every entry is compared, each in constant time, so that the time taken tells nothing.
   * @throws SpinError "unauthenticated" that never repeats what was sent
   */
  check(headers: readonly string[], now: number = Date.now()): Principal {
    const hash = hashOf(bearer(headers));
    let found: KnownToken | undefined;
    for (const candidate of this.#entries) {
      if (timingSafeEqual(candidate.hash, hash)) found = candidate;
    }
    if (found === undefined) throw refusal("the token is not one of this service's");
    if (found.expires > now) return found.principal;
    throw refusal(`the token "${found.principal.name}" expired on ${new Date(found.expires).toISOString()}`);
  }
}

function bearer(headers: readonly string[]): string {
  if (headers.length === 0) throw refusal("no token was sent");
  if (headers.length > 1) throw refusal("more than one authorization header was sent");
  const match = /^Bearer ([\x21-\x7e]+)$/i.exec(headers[0]!);
  if (match === null || match[1]!.length > MAX_TOKEN) throw refusal("the authorization header is malformed");
  return match[1]!;
}

function refusal(message: string): SpinError {
  return new SpinError("unauthenticated", message, { remedy: REMEDY });
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Reads a tokens file. @throws SpinError "invalid" that names the wrong member and never shows a value */
export function parseTokens(text: string, file: string): TokenEntry[] {
  const wrong = (problem: string) =>
    new SpinError("invalid", `${file}: ${problem}`, { file, remedy: "make it with `spin-diffusion keys token`" });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw wrong("is not JSON"); // The parser's own message would show a piece of the file.
  }
  const result = fileSchema.safeParse(json);
  if (result.success) return result.data.tokens;
  const [issue] = describeIssues(result.error.issues, json);
  throw wrong(`${issue!.path.join(".")}: ${issue!.message.replace(/, got .*/s, "")}`);
}

/** A new token of 256 random bits, and its line for the file. */
export function createToken(name: string, role: Role, days: number): { token: string; entry: TokenEntry } {
  const token = `spin_${randomBytes(32).toString("base64url")}`;
  const expires = new Date(Date.now() + days * 86_400_000).toISOString();
  return { token, entry: entry.parse({ name, role, sha256: hashOf(token).toString("hex"), expires }) };
}
