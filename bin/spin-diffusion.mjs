#!/usr/bin/env node
/** The command `spin-diffusion`: runs the compiled command line. */
import { existsSync } from "node:fs";

// The gRPC library gives TLS a server's name also where that is an IP address, of which Node tells on every start.
process.noDeprecation = true;
const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write("spin-diffusion is not built yet; run `npm ci && npm run build` in its folder\n");
  process.exitCode = 1;
}
