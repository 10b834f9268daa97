import { ServerCredentials, type ServerInterceptor } from "@grpc/grpc-js";
import { SpinError } from "../../errors.js";
import type { Logger } from "../logging.js";
import { type CertificateContents, type CertificateFiles, checkCertificates } from "./certificates.js";
import { createGuard } from "./guard.js";
import { isLoopback } from "./loopback.js";
import { Reloaded } from "./reloaded.js";
import { RenewableCredentials } from "./server-credentials.js";
import type { DoorConfig } from "./settings.js";
import { parseTokens, Tokens } from "./tokens.js";

/** What a server opens itself with. */
export interface Doors {
  readonly credentials: ServerCredentials;
  readonly guard: ServerInterceptor;
  /** Where health alone is answered, without TLS. */
  readonly healthPort?: number;
  /** Stops watching the files. */
  close(): void;
}

/** Tests do not wait. */
export interface DoorOptions {
  /** How often the files are looked at, in milliseconds. */
  readonly reloadMs?: number;
  /** As the guard has it. */
  readonly requestTimeoutMs?: number;
}

/**
 * Reads certificates and tokens, watches their files, and refuses what would let strangers in.
 *
 * @throws SpinError "precondition" for a host beyond loopback without both TLS and tokens, unless `insecure`; "invalid" for settings that need one
 * another, or files that are wrong
 */
export async function openDoors(
  host: string,
  config: DoorConfig,
  log: Logger,
  { reloadMs: intervalMs, requestTimeoutMs }: DoorOptions = {},
): Promise<Doors> {
  const { serverCert, serverKey, clientCa, tokensFile, insecure, maxCalls, healthPort } = config;
  checkTogether(config);
  if (!isLoopback(host) && (serverCert === undefined || tokensFile === undefined)) {
    if (!insecure) throw refuseToListen(host, config);
    log.warn(
      { host },
      "listening beyond loopback without TLS and tokens, as --insecure asks: whoever reaches the port may do everything",
    );
  }
  const closers: (() => void)[] = [];
  try {
    const tokens =
      tokensFile === undefined
        ? undefined
        : await Reloaded.open({
            files: [tokensFile],
            parse: ([content]) => new Tokens(parseTokens(content!.toString(), tokensFile)),
            log,
            intervalMs,
          });
    if (tokens !== undefined) closers.push(() => tokens.close());
    const { interceptor: guard, stop } = createGuard({
      tokens: tokens && (() => tokens.current),
      maxCalls,
      requestTimeoutMs,
      log,
    });
    closers.push(stop);
    const close = () => closers.forEach((one) => void one());
    if (serverCert === undefined) return { credentials: ServerCredentials.createInsecure(), guard, healthPort, close };

    const files: CertificateFiles = { cert: serverCert, key: serverKey!, ca: clientCa };
    const parts = (["cert", "key", "ca"] as const).filter((part) => files[part] !== undefined);
    const certificates = await Reloaded.open({
      files: parts.map((part) => files[part]!),
      parse: (contents) => {
        const named: CertificateContents = Object.fromEntries(parts.map((part, i) => [part, contents[i]]));
        return checkCertificates(named, files);
      },
      onChange: (context) => credentials.renew(context),
      log,
      intervalMs,
    });
    closers.push(() => certificates.close());
    const credentials = new RenewableCredentials(certificates.current, clientCa !== undefined);
    return { credentials, guard, healthPort, close };
  } catch (error) {
    for (const close of closers) close();
    throw error;
  }
}

function checkTogether({ serverCert, serverKey, clientCa }: DoorConfig): void {
  const problem =
    (serverCert === undefined) !== (serverKey === undefined)
      ? "SERVER_CERT and SERVER_KEY go together"
      : clientCa !== undefined && serverCert === undefined
        ? "CLIENT_CA needs SERVER_CERT and SERVER_KEY"
        : undefined;
  if (problem !== undefined)
    throw new SpinError("invalid", `configuration: ${problem}`, { remedy: "set what is missing" });
}

function refuseToListen(host: string, { serverCert, tokensFile }: DoorConfig): SpinError {
  const missing = [serverCert === undefined ? "TLS" : [], tokensFile === undefined ? "tokens" : []]
    .flat()
    .join(" and ");
  return new SpinError(
    "precondition",
    `refusing to listen on ${host}, which other machines can reach, without ${missing}`,
    {
      field: "host",
      remedy:
        "set SERVER_CERT, SERVER_KEY and TOKENS_FILE (`spin-diffusion keys` makes what they name), listen on 127.0.0.1, or say --insecure (INSECURE=1) " +
        "where the network itself keeps strangers out",
    },
  );
}
