import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, toIoError } from "../../core/checkpoint/io-errors.js";
import { SpinError } from "../../core/errors.js";
import { addToken, writeSecret } from "./add-token.js";
import { CertificateAuthority } from "./certificate-authority.js";

/**
 * Fills a new folder: `ca.pem` and `ca-key.pem`; `server.pem` and `client.pem`, each with its `-key.pem`; `tokens.json` and `service.token`, with
 * which services call one another.
 * @returns what to print
 * @throws SpinError "alreadyExists" where the folder exists: keys in use are not overwritten
 */
export async function createKeys(folder: string, names: readonly string[], days: number): Promise<string> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw toIoError(error, folder, "write");
    throw new SpinError("alreadyExists", `${folder} exists`, { file: folder, remedy: "name another folder" });
  });
  const authority = await CertificateAuthority.create("SPIN-Diffusion CA", days);
  const server = await authority.issue({ commonName: names[0]!, names, usage: "server" });
  const client = await authority.issue({ commonName: "client", names: [], usage: "client" });
  const files = { ca: authority.certified, server, client };
  for (const [name, { cert, key }] of Object.entries(files)) {
    await writeFile(join(folder, `${name}.pem`), cert);
    await writeSecret(join(folder, `${name}-key.pem`), key);
  }
  const token = { name: "service", role: "run", days, out: join(folder, "service.token") } as const;
  await addToken(join(folder, "tokens.json"), token);
  return `${folder}: ca, server (${names.join(", ")}) and client certificates, tokens.json, service.token; they expire in ${days} days\n`;
}
