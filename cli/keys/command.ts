import { Command, Option } from "commander";
import { ROLES, type Role } from "../../core/service/doors/roles.js";
import { listOfNames, wholeNumber } from "../options.js";

interface CreateOptions {
  readonly names: readonly string[];
  readonly days: number;
}

interface TokenOptions {
  readonly name: string;
  readonly role: Role;
  readonly days: number;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion keys create secrets --names generator,trainer,evaluator,localhost,127.0.0.1
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
        .description("Make a CA, certificates for services and clients, and the services' own token, in a new folder.")
        .argument("<folder>", "where to; must not exist")
        .option("--names <names>", "host names and addresses of the services, between commas", listOfNames, [
          "generator",
          "trainer",
          "evaluator",
          "localhost",
          "127.0.0.1",
        ])
        .option("--days <count>", "until the certificates and the token expire", wholeNumber(1, 3650), 365)
        .action(async (folder: string, { names, days }: CreateOptions) => {
          const { createKeys } = await import("./create-keys.js");
          process.stdout.write(await createKeys(folder, names, days));
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
