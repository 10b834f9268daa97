import { readFile, writeFile } from "node:fs/promises";
import { saveFile } from "../../core/checkpoint/atomic-file.js";
import { errorCode, toIoError } from "../../core/checkpoint/io-errors.js";
import type { Role } from "../../core/service/doors/roles.js";
import { createToken, parseTokens, type TokenEntry } from "../../core/service/doors/tokens.js";
import { requestId } from "../../core/service/request-schemas.js";
import { checkRequest } from "../../core/service/validation.js";

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly days: number;
  /** Where the token is written, readable to its owner alone; default: it is returned. */
  readonly out?: string;
}

/** Makes a token, puts its hash into the file in place of one of the same name, and returns what to print. */
export async function addToken(file: string, { name, role, days, out }: NewToken): Promise<string> {
  const { token, entry } = createToken(checkRequest(requestId, name), role, days);
  const kept = (await entriesIn(file)).filter((one) => one.name !== name);
  if (out !== undefined) await writeSecret(out, `${token}\n`);
  await saveFile(file, `${JSON.stringify({ tokens: [...kept, entry] }, undefined, 2)}\n`);
  return out === undefined ? `${token}\n` : `${out}: role ${role}, expires ${entry.expires}\n`;
}

async function entriesIn(file: string): Promise<TokenEntry[]> {
  try {
    return parseTokens(await readFile(file, "utf8"), file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw toIoError(error, file, "read");
  }
}

/** Writes a file that its owner alone may read. */
export async function writeSecret(file: string, content: string): Promise<void> {
  await writeFile(file, content, { mode: 0o600 }).catch((error: unknown) => {
    throw toIoError(error, file, "write");
  });
}
