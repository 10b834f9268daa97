import { createSecureContext } from "node:tls";
import { ChannelCredentials } from "@grpc/grpc-js";
import { SpinError } from "../../errors.js";
import { type CertificateContents, type CertificateFiles, checkCertificates } from "./certificates.js";
import { hostOf, isLoopback } from "./loopback.js";
import { readAll } from "./reloaded.js";
import type { CallerConfig } from "./settings.js";

/** For how long files that were read are taken to be the same, in milliseconds. */
const FRESH_MS = 5_000;

/** What a connection is made with, and what a call carries. */
export interface Credentials {
  readonly channel: ChannelCredentials;
  readonly token?: string;
}

/** Proof of who calls, and of whom is called: read from files, and read again when they have changed. */
export class Caller {
  readonly files: CertificateFiles;
  /** Name that certificates must have, in place of the address's. */
  readonly name: string | undefined;
  readonly #parts: readonly (keyof CertificateFiles)[];
  readonly #tokenFile: string | undefined;
  /** Those of the parts, then the token's. */
  readonly #files: readonly string[];
  readonly #token: string | undefined;
  readonly #freshMs: number;
  #contents: readonly Buffer[] = [];
  #credentials: Credentials;
  #looked = Number.NEGATIVE_INFINITY;

  private constructor(config: Partial<CallerConfig>, token: string | undefined, freshMs: number) {
    this.files = { ca: config.tlsCa, cert: config.tlsCert, key: config.tlsKey };
    this.name = config.tlsName;
    this.#parts = (["ca", "cert", "key"] as const).filter((part) => this.files[part] !== undefined);
    this.#tokenFile = config.tokenFile;
    this.#files = [...this.#parts.map((part) => this.files[part]!), ...(config.tokenFile ? [config.tokenFile] : [])];
    this.#token = token;
    this.#freshMs = freshMs;
    this.#credentials = { channel: ChannelCredentials.createInsecure(), token };
  }

  /** One who has neither certificates nor a token. */
  static anonymous(): Caller {
    return new Caller({}, undefined, FRESH_MS);
  }

  /**
   * @param token the token itself, from SPIN_TOKEN; a file's wins
   * @throws SpinError for a file that cannot be read or is wrong, or settings that need one another
   */
  static async open(config: Partial<CallerConfig>, token?: string, freshMs: number = FRESH_MS): Promise<Caller> {
    const { tlsCa, tlsCert, tlsKey } = config;
    if ((tlsCert === undefined) !== (tlsKey === undefined) || (tlsCert !== undefined && tlsCa === undefined)) {
      const remedy = "give all of SPIN_TLS_CA, SPIN_TLS_CERT and SPIN_TLS_KEY, or the first alone";
      throw new SpinError("invalid", "a certificate of one's own needs its key, and the service's CA", { remedy });
    }
    const caller = new Caller(config, token || undefined, freshMs);
    await caller.#read();
    return caller;
  }

  /** Whether connections are TLS. */
  get isSecure(): boolean {
    return this.files.ca !== undefined;
  }

  /**
   * What to call this address with now. Files that have become wrong leave what was before.
   * @throws SpinError "precondition" where a token would cross a network in the clear
   */
  async credentials(address: string): Promise<Credentials> {
    if (this.#files.length > 0 && performance.now() - this.#looked > this.#freshMs)
      await this.#read().catch(() => undefined);
    if (this.#credentials.token !== undefined && !this.isSecure && !isLoopback(hostOf(address))) {
      throw new SpinError("precondition", `the token would cross the network to ${address} in the clear`, {
        remedy: "set SPIN_TLS_CA (--tls-ca), or send no token",
      });
    }
    return this.#credentials;
  }

  async #read(): Promise<void> {
    this.#looked = performance.now();
    const contents = await readAll(this.#files);
    if (contents.length === this.#contents.length && contents.every((one, i) => one.equals(this.#contents[i]!))) return;
    const token = this.#tokenFile === undefined ? this.#token : tokenIn(contents.at(-1)!, this.#tokenFile);
    const named: CertificateContents = Object.fromEntries(this.#parts.map((part, i) => [part, contents[i]]));
    const channel = this.isSecure
      ? ChannelCredentials.createFromSecureContext(createSecureContext(checkCertificates(named, this.files)))
      : ChannelCredentials.createInsecure();
    this.#credentials = { channel, token };
    this.#contents = contents;
  }
}

function tokenIn(content: Buffer, file: string): string {
  const token = content.toString().trim();
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token;
  throw new SpinError("invalid", `${file}: expected one token, 1 to 512 printable characters`, { file });
}
