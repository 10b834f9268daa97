import { isIP } from "node:net";
import { Command, InvalidArgumentError, Option } from "commander";
import { ROLES, type Role } from "../../core/service/doors/roles.js";
import { collect, wholeNumber } from "../options.js";

interface CreateOptions {
  readonly host?: readonly string[];
  readonly days: number;
}

interface TokenOptions {
  readonly name: string;
  readonly role: Role;
  readonly days: number;
  readonly out?: string;
}

/** Where services are found on one machine, and in the Compose and Kubernetes files. */
const HOSTS = ["generator", "trainer", "evaluator", "localhost", "127.0.0.1"];

const EXAMPLES = `
Examples:
  $ spin-diffusion keys create secrets --host trainer.example.org --host localhost
  $ spin-diffusion keys token secrets/tokens.json --name alice --role run --out alice.token
  $ spin-diffusion serve trainer --host 0.0.0.0 --server-cert secrets/server.pem --server-key secrets/server-key.pem \\
      --tokens-file secrets/tokens.json --tls-ca secrets/ca.pem --token-file secrets/service.token
  $ spin-diffusion run --tls-ca secrets/ca.pem --token-file alice.token --base base --dataset emoji/winners

A tokens file holds hashes, never tokens. Services take in changed files within seconds, without a restart.`;

/** `spin-diffusion keys …`. */
export function keysCommand(): Command {
  return new Command("keys")
    .description("Make certificates and tokens for services that others can reach.")
    .helpCommand(false)
    .addCommand(
      new Command("create")
        .description(
          "Make a CA, certificates for services and clients, and the services' own token, in a new folder; without --host for the hosts of the Compose and Kubernetes files.",
        )
        .argument("<folder>", "where to; must not exist")
        .option("--host <name>", "host name or address that a service is called by; again for more", collect(hostName))
        .option("--days <count>", "until the certificates and the token expire", wholeNumber(1, 3650), 365)
        .action(async (folder: string, { host, days }: CreateOptions) => {
          const { createKeys } = await import("./create-keys.js");
          process.stdout.write(await createKeys(folder, host ?? HOSTS, days));
        }),
    )
    .addCommand(
      new Command("token")
        .description("Make a token and add its hash to a tokens file.")
        .argument("<file>", "the services' tokens file; made where there is none")
        .requiredOption("--name <name>", "whose it is, for the log; an entry of that name is replaced")
        .addOption(new Option("--role <role>", "what it may do").choices(ROLES).default("run"))
        .option("--days <count>", "until it expires", wholeNumber(1, 3650), 90)
        .option("--out <file>", "where the token is written; default: standard output")
        .action(async (file: string, { name, role, days, out }: TokenOptions) => {
          const { addToken } = await import("./add-token.js");
          process.stdout.write(await addToken(file, { name, role, days, out }));
        }),
    )
    .addHelpText("after", EXAMPLES);
}

function hostName(text: string): string {
  if (isIP(text) !== 0 || /^[A-Za-z0-9*]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError("Expected a host name or an IP address.");
}
