import { generateKeyPair, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import forge from "node-forge";

/** A certificate and its private key, as PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

export interface Subject {
  readonly commonName: string;
  /** Host names and IP addresses that a server is called by. */
  readonly names: readonly string[];
  /** A server is a client too, of other services. */
  readonly usage: "server" | "client";
  /** Default: the authority's own. */
  readonly days?: number;
}

const newKeys = promisify(generateKeyPair);
/** Bits of an RSA key. The library that makes certificates knows no elliptic curves. */
const KEY_BITS = 2048;

/** Signs certificates: for a small installation, and for tests. A larger one has an authority of its own. */
export class CertificateAuthority {
  readonly certified: Certified;
  readonly #name: string;
  readonly #days: number;

  private constructor(name: string, days: number, certified: Certified) {
    this.#name = name;
    this.#days = days;
    this.certified = certified;
  }

  /** @param days until its certificates expire */
  static async create(name: string, days: number): Promise<CertificateAuthority> {
    const { keys, key } = await keyPair();
    const certificate = blank(keys.publicKey, name, name, days);
    certificate.setExtensions([
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      { name: "subjectKeyIdentifier" },
    ]);
    certificate.sign(keys.privateKey, forge.md.sha256.create());
    return new CertificateAuthority(name, days, { cert: forge.pki.certificateToPem(certificate), key });
  }

  async issue({ commonName, names, usage, days = this.#days }: Subject): Promise<Certified> {
    const { keys, key } = await keyPair();
    const certificate = blank(keys.publicKey, commonName, this.#name, days);
    const altNames = names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name }));
    certificate.setExtensions([
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
      { name: "extKeyUsage", serverAuth: usage === "server", clientAuth: true },
      ...(altNames.length > 0 ? [{ name: "subjectAltName", altNames }] : []),
    ]);
    certificate.sign(forge.pki.privateKeyFromPem(this.certified.key), forge.md.sha256.create());
    return { cert: forge.pki.certificateToPem(certificate), key };
  }
}

async function keyPair(): Promise<{ keys: forge.pki.rsa.KeyPair; key: string }> {
  const { privateKey: key, publicKey } = await newKeys("rsa", {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  return {
    keys: { privateKey: forge.pki.privateKeyFromPem(key), publicKey: forge.pki.publicKeyFromPem(publicKey) },
    key,
  };
}

function blank(
  publicKey: forge.pki.rsa.PublicKey,
  subject: string,
  issuer: string,
  days: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = `00${randomBytes(16).toString("hex")}`; // The zeros keep the number positive.
  // An hour earlier: clocks differ.
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
  certificate.validity.notAfter = new Date(Date.now() + days * 86_400_000);
  certificate.setSubject([{ name: "commonName", value: subject }]);
  certificate.setIssuer([{ name: "commonName", value: issuer }]);
  return certificate;
}
