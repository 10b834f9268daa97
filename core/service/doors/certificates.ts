import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { SpinError } from "../../errors.js";

/** Files of PEM text. */
export interface CertificateFiles {
  /** The certificate, and those between it and the CA. */
  readonly cert?: string;
  readonly key?: string;
  /** Who must have signed the other side's certificate. */
  readonly ca?: string;
}

/** Contents of those that are named, for node:tls. */
export type CertificateContents = Readonly<Partial<Record<keyof CertificateFiles, Buffer>>>;

/**
 * Checks certificates before anything is opened with them: that they can be read, belong to their key and have not expired.
 * @throws SpinError "invalid" that names the file and says what is wrong, never what is in it
 */
export function checkCertificates(
  contents: CertificateContents,
  files: CertificateFiles,
  now: number = Date.now(),
): SecureContextOptions {
  for (const part of ["cert", "ca"] as const) {
    const content = contents[part];
    if (content !== undefined) checkCertificate(content, files[part]!, now);
  }
  try {
    createSecureContext(contents);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const file = files.key ?? files.ca!;
    throw new SpinError("invalid", `${file}: cannot be used with ${files.cert ?? "what is there"} (${reason})`, {
      file,
      remedy: "use the private key that the certificate was made for, as PEM without a passphrase",
    });
  }
  return { ...contents, minVersion: "TLSv1.2" };
}

function checkCertificate(content: Buffer, file: string, now: number): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(content);
  } catch {
    throw new SpinError("invalid", `${file}: is not a certificate`, {
      file,
      remedy: "use PEM, as `spin-diffusion keys` writes",
    });
  }
  if (Date.parse(certificate.validTo) <= now) {
    const remedy = "renew it; a service that runs takes the new file in by itself";
    throw new SpinError("invalid", `${file}: the certificate expired on ${certificate.validTo}`, { file, remedy });
  }
}
