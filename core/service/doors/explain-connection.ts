import { readFile } from "node:fs/promises";
import { type ConnectionOptions, checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { Caller } from "./caller.js";
import { hostOf } from "./loopback.js";

/** How long the look at a service's certificate may take. */
const LOOK_MS = 2_000;
/** After the handshake, for a server that asks for a certificate to say so. */
const COMPLAINT_MS = 300;

/**
 * Why TLS does not come about at an address: looks at the certificate that is shown there. gRPC itself says no more than that no connection was
 * established.
 *
 * @param serverName host that the address stands for, where it is not its own
 * @returns a sentence that says which: wrong CA, wrong name, expired, a client's certificate wanted, TLS on one side alone; undefined where none of
 * these is the matter
 */
export async function explainConnection(
  address: string,
  caller: Caller,
  serverName?: string,
): Promise<string | undefined> {
  const host = hostOf(address);
  const name = caller.name ?? serverName ?? host;
  const { ca, cert, key } = caller.files;
  const [caText, certText, keyText] = await Promise.all(
    [ca, cert, key].map((file) => file && readFile(file).catch(() => undefined)),
  );
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  const options: ConnectionOptions = {
    host,
    port,
    servername: /^[\d.]+$|:/.test(name) ? undefined : name,
    ca: caText || undefined,
    cert: certText || undefined,
    key: keyText || undefined,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  };
  const { socket, failure } = await handshake(options);
  if (socket === undefined)
    return caller.isSecure && failure !== undefined ? explainFailure(address, failure) : undefined;
  try {
    if (!caller.isSecure)
      return `${address} speaks TLS, and was called without: give its CA with --tls-ca (SPIN_TLS_CA)`;
    const certificate = socket.getPeerCertificate();
    const reason = socket.authorizationError as unknown;
    const code =
      reason === null || reason === undefined
        ? ""
        : reason instanceof Error && "code" in reason
          ? String(reason.code)
          : String(reason);
    if (code === "CERT_HAS_EXPIRED") return `${address}: its certificate expired on ${certificate.valid_to}`;
    if (code !== "" && code !== "ERR_TLS_CERT_ALTNAME_INVALID") {
      return `${address}: its certificate, issued by ${issuerOf(certificate)}, is not signed by the CA in ${ca} (wrong CA: ${code})`;
    }
    if (checkServerIdentity(name, certificate) !== undefined) {
      const names = certificate.subjectaltname ?? `CN=${certificate.subject?.CN ?? "?"}`;
      return `${address}: its certificate is for ${names}, not for "${name}" (wrong name): call it by one of these, or give the name with --tls-name`;
    }
    return await complaintOf(socket, address, cert !== undefined);
  } finally {
    socket.destroy();
  }
}

function issuerOf(certificate: PeerCertificate): string {
  const issuer = certificate.issuer?.CN;
  return issuer === undefined ? "an unknown CA" : `"${Array.isArray(issuer) ? issuer.join(" ") : issuer}"`;
}

interface Handshake {
  readonly socket?: TLSSocket;
  readonly failure?: NodeJS.ErrnoException;
}

function handshake(options: ConnectionOptions): Promise<Handshake> {
  return new Promise((resolve) => {
    const socket = connect(options, () => resolve({ socket }));
    socket.on("error", (failure) => resolve({ failure }));
    socket.setTimeout(LOOK_MS, () => {
      socket.destroy();
      resolve({});
    });
  });
}

/** Under TLS 1.3 a server refuses the client after the handshake: with an alert, or by hanging up. */
function complaintOf(socket: TLSSocket, address: string, hasCertificate: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), COMPLAINT_MS);
    const end = (reason: string | undefined) => {
      clearTimeout(timer);
      resolve(reason);
    };
    socket.on("error", (error) => end(explainFailure(address, error)));
    socket.on("close", () => end(hasCertificate ? certificateRefused(address) : certificateWanted(address)));
    socket.resume();
  });
}

function explainFailure(address: string, { code = "", message }: NodeJS.ErrnoException): string | undefined {
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/i.test(code)) {
    return certificateWanted(address);
  }
  if (/UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED/i.test(code)) {
    return certificateRefused(address);
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/i.test(code))
    return `${address} does not speak TLS: leave out --tls-ca (SPIN_TLS_CA)`;
  return /^ERR_SSL/.test(code) ? `${address}: TLS fails: ${message}` : undefined;
}

function certificateWanted(address: string): string {
  return `${address} asks for a client's certificate: give one with --tls-cert and --tls-key (SPIN_TLS_CERT, SPIN_TLS_KEY)`;
}

function certificateRefused(address: string): string {
  return `${address} does not accept this client's certificate: it must be signed by the service's CLIENT_CA and not have expired`;
}
