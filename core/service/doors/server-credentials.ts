import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";

/** TLS whose certificates can be replaced while the server listens: connections that exist keep theirs, new ones get the new. */
export class RenewableCredentials extends ServerCredentials {
  /** @param requireClient ask every client for a certificate that `context.ca` has signed */
  constructor(context: SecureContextOptions, requireClient: boolean) {
    super({ requestCert: requireClient, rejectUnauthorized: requireClient }, context);
  }

  renew(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
