import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CertificateAuthority } from "../../cli/keys/certificate-authority.js";
import type { Role } from "../../core/service/doors/roles.js";
import { createToken, type TokenEntry } from "../../core/service/doors/tokens.js";

/** Files of keys, as PEM: a CA, a certificate for loopback, one for a client. */
export interface TestKeys {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Where {@link writeKeys} puts them. */
export function keyFiles(folder: string, prefix = ""): TestKeys {
  const pair = (name: string) => ({
    cert: join(folder, `${prefix}${name}.pem`),
    key: join(folder, `${prefix}${name}-key.pem`),
  });
  return { ca: join(folder, `${prefix}ca.pem`), server: pair("server"), client: pair("client") };
}

export async function writeKeys(folder: string, prefix = ""): Promise<TestKeys & { authority: CertificateAuthority }> {
  const authority = await CertificateAuthority.create(`${prefix}test CA`, 1);
  const files = keyFiles(folder, prefix);
  await writeFile(files.ca, authority.certified.cert);
  await writeCertificate(authority, folder, `${prefix}server`, ["127.0.0.1", "localhost"]);
  await writeCertificate(authority, folder, `${prefix}client`, []);
  return { ...files, authority };
}

/** Issues a certificate into `<name>.pem` and `<name>-key.pem`. */
export async function writeCertificate(
  authority: CertificateAuthority,
  folder: string,
  name: string,
  names: readonly string[],
  days?: number,
): Promise<void> {
  const usage = names.length > 0 ? "server" : "client";
  const { cert, key } = await authority.issue({ commonName: name, names, usage, days });
  await writeFile(join(folder, `${name}.pem`), cert);
  await writeFile(join(folder, `${name}-key.pem`), key);
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
