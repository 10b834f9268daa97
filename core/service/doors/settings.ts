import { type Config, port, setting, switchedOn, text, wholeNumber } from "../config.js";

/** How a service is closed to strangers. */
export const DOOR_SETTINGS = {
  /** PEM file with the service's certificate chain; with `serverKey` it speaks TLS. */
  serverCert: setting("SERVER_CERT", text.optional()),
  /** PEM file with the certificate's private key. */
  serverKey: setting("SERVER_KEY", text.optional()),
  /** PEM file with the CA that must have signed a client's certificate: mutual TLS. */
  clientCa: setting("CLIENT_CA", text.optional()),
  /** JSON file with the hashes of tokens, their roles and when they expire. */
  tokensFile: setting("TOKENS_FILE", text.optional()),
  /** Whether to listen beyond loopback without TLS and tokens. */
  insecure: setting("INSECURE", switchedOn.prefault("0")),
  /** Port, on the same host, that answers health checks and nothing else, without TLS: for probes that speak none. */
  healthPort: setting("HEALTH_PORT", port.optional()),
  /** Most calls at a time; one more is told to come back. */
  maxCalls: setting("MAX_CALLS", wholeNumber(1, 1_000_000).prefault("4000")),
} as const;

export type DoorConfig = Config<typeof DOOR_SETTINGS>;

/** How one who calls a service proves the service's identity, and its own. */
export const CALLER_SETTINGS = {
  /** PEM file with the CA that must have signed the service's certificate. */
  tlsCa: setting("SPIN_TLS_CA", text.optional()),
  /** PEM file with the caller's own certificate, for mutual TLS. */
  tlsCert: setting("SPIN_TLS_CERT", text.optional()),
  /** PEM file with that certificate's private key. */
  tlsKey: setting("SPIN_TLS_KEY", text.optional()),
  /** Name that the service's certificate must have, where it is not that of the address. */
  tlsName: setting("SPIN_TLS_NAME", text.optional()),
  /** File with a token. */
  tokenFile: setting("SPIN_TOKEN_FILE", text.optional()),
} as const;

export type CallerConfig = Config<typeof CALLER_SETTINGS>;
