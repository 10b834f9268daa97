import { Option } from "commander";
import { SpinError } from "../../core/errors.js";
import { readConfig } from "../../core/service/config.js";
import { Caller } from "../../core/service/doors/caller.js";
import { CALLER_SETTINGS } from "../../core/service/doors/settings.js";
import { flagOf } from "../options.js";

type Flags = Readonly<Record<string, string | undefined>>;

const DESCRIPTIONS: Record<keyof typeof CALLER_SETTINGS, string> = {
  tlsCa: "PEM file with the CA of the services' certificates; without it no TLS",
  tlsCert: "PEM file with a certificate of one's own, for mutual TLS",
  tlsKey: "PEM file with that certificate's key",
  tlsName: "name that the service's certificate must have; default: the address's host",
  tokenFile: "file with a token; SPIN_TOKEN may hold the token itself",
};

/** The options of every command that calls a service. They belong to the program, so that they may stand before or behind the command's name. */
export function callerOptions(): Option[] {
  return Object.entries(CALLER_SETTINGS).map(([key, { variable }]) => {
    const description = `${DESCRIPTIONS[key as keyof typeof CALLER_SETTINGS]} (${variable})`;
    return new Option(`${flagOf(key)} <value>`, description);
  });
}

let given: Flags = {};

/** Notes what the command line says, before the command runs. */
export function useCallerFlags(flags: Flags): void {
  given = flags;
}

let callsOwnServices = false;

/**
 * From here on this process calls services on loopback that it has started itself, which have no doors: what the environment says of others' is
 * not for them.
 * @throws SpinError "invalid" naming a flag that is given all the same
 */
export function callOwnServices(): void {
  const flag = Object.keys(CALLER_SETTINGS).find((key) => given[key] !== undefined);
  if (flag !== undefined) {
    throw new SpinError("invalid", `${flagOf(flag)} has no use: the command starts services of its own, on loopback`, {
      field: flag,
      remedy: "leave it out, or call services that run already",
    });
  }
  callsOwnServices = true;
}

/** Who calls, as flags and environment say. @throws SpinError where a file is wrong */
export async function openCaller(): Promise<Caller> {
  if (callsOwnServices) return Caller.anonymous();
  return Caller.open(readConfig(CALLER_SETTINGS, given), process.env.SPIN_TOKEN);
}
