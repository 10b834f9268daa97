import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CertificateAuthority } from "../../cli/keys/certificate-authority.js";
import type { Role } from "../../core/service/doors/roles.js";
import { createToken, type TokenEntry } from "../../core/service/doors/tokens.js";

/** Keys of a folder: a CA, a certificate for loopback, one for a client, all in PEM files. */
export interface TestKeys {
  readonly authority: CertificateAuthority;
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

export async function writeKeys(folder: string, prefix = ""): Promise<TestKeys> {
  const authority = await CertificateAuthority.create(`${prefix}test CA`, 1);
  const ca = join(folder, `${prefix}ca.pem`);
  await writeFile(ca, authority.certified.cert);
  const server = await writeCertificate(authority, folder, `${prefix}server`, ["127.0.0.1", "localhost"]);
  const client = await writeCertificate(authority, folder, `${prefix}client`, []);
  return { authority, ca, server, client };
}

/** Issues a certificate into `<name>.pem` and `<name>-key.pem`. */
export async function writeCertificate(
  authority: CertificateAuthority,
  folder: string,
  name: string,
  names: readonly string[],
  days?: number,
): Promise<{ cert: string; key: string }> {
  const usage = names.length > 0 ? "server" : "client";
  const { cert, key } = await authority.issue({ commonName: name, names, usage, days });
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}-key.pem`) };
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  return files;
}

/** A tokens file with a token for each name, and the tokens themselves. */
export async function writeTokens<Name extends string>(
  file: string,
  roles: Readonly<Record<Name, Role>>,
  days: Partial<Record<Name, number>> = {},
): Promise<Record<Name, string>> {
  const entries: TokenEntry[] = [];
  const tokens: Partial<Record<Name, string>> = {};
  for (const [name, role] of Object.entries(roles) as [Name, Role][]) {
    const made = createToken(name, role, days[name] ?? 1);
    entries.push(made.entry);
    tokens[name] = made.token;
  }
  await writeFile(file, JSON.stringify({ tokens: entries }));
  return tokens as Record<Name, string>;
}
