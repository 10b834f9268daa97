import { join } from "node:path";
import { type Client, status } from "@grpc/grpc-js";
import { ACCESS, ROLES, type Role } from "../../core/service/doors/roles.js";
import { type AllServices, startAllServices } from "../support/all-services.js";
import { writeTokens } from "../support/keys.js";
import { callRaw, type ReflectedMethod, rawClient, reflect } from "../support/reflection.js";
import { useSharedFolder } from "../support/temporary-folder.js";

/** Walks what running services say that they serve: a method that somebody adds is walked too. */

const folder = useSharedFolder();
let services: AllServices;
let tokens: Record<Role | "expired", string>;
let walked: (ReflectedMethod & { readonly client: Client })[];

/** Methods that the library serves; reflection does not list the calls of its own. */
const LIBRARY: readonly Omit<ReflectedMethod, "requestType">[] = [
  { path: "/grpc.health.v1.Health/List", isStream: false },
  { path: "/grpc.health.v1.Health/Watch", isStream: true },
  { path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", isStream: true },
  { path: "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", isStream: true },
];

beforeAll(async () => {
  const tokensFile = join(folder(), "tokens.json");
  tokens = await writeTokens(
    tokensFile,
    { read: "read", run: "run", admin: "admin", expired: "admin" },
    { expired: -1 },
  );
  services = await startAllServices(folder(), { tokensFile });
  walked = [];
  for (const address of Object.values(services.addresses)) {
    const { methods } = await reflect(address, tokens.read);
    const client = rawClient(address);
    for (const method of methods) walked.push({ ...method, client });
    for (const method of LIBRARY) walked.push({ ...method, requestType: "", client });
  }
}, 60_000);
afterAll(async () => {
  for (const { client } of walked) client.close();
  await services.stop();
});

const bearer = (token: string) => [`Bearer ${token}`];

it("reflection tells every method that has a row in the table of roles, and none besides", () => {
  const reflected = walked.map(({ path }) => path);
  const rows = [...ACCESS.keys()].filter((path) => path !== "/grpc.health.v1.Health/Check");
  expect(new Set(reflected)).toEqual(new Set(rows));
});

it("every method refuses who shows no token, or a malformed, unknown or expired one", async () => {
  const wrong: Record<string, string[]> = {
    none: [],
    empty: ["Bearer "],
    "another scheme": ["Basic dXNlcjpwYXNz"],
    "no scheme": [tokens.admin],
    unknown: bearer("spin_unknown"),
    "cut short": bearer(tokens.admin.slice(0, -1)),
    expired: bearer(tokens.expired),
  };
  const failures: string[] = [];
  for (const method of walked) {
    for (const [name, headers] of Object.entries(wrong)) {
      const { code, details } = await callRaw(method.client, method, headers);
      if (code !== status.UNAUTHENTICATED) failures.push(`${method.path} with ${name}: ${status[code]} ${details}`);
      if (details.includes(tokens.admin)) failures.push(`${method.path} with ${name} repeats the token`);
    }
  }
  expect(failures).toEqual([]);
}, 60_000);

it("every method refuses the roles below its own, and takes its own and those above", async () => {
  const failures: string[] = [];
  for (const method of walked) {
    const needed = ACCESS.get(method.path)! as Role;
    for (const role of ROLES) {
      const isEnough = ROLES.indexOf(role) >= ROLES.indexOf(needed);
      if (isEnough && /Watch$|ServerReflectionInfo$/.test(method.path) && method.path.startsWith("/grpc.")) continue; // Open until the caller ends them.
      const { code, details } = await callRaw(method.client, method, bearer(tokens[role]));
      const isRefused = code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED;
      if (isRefused === isEnough)
        failures.push(`${method.path}, which needs ${needed}, as ${role}: ${status[code]} ${details}`);
    }
  }
  expect(failures).toEqual([]);
}, 60_000);

it("health answers probes, which have no token", async () => {
  for (const client of new Set(walked.map((method) => method.client))) {
    const method = { path: "/grpc.health.v1.Health/Check", isStream: false };
    await expect(callRaw(client, method, [])).resolves.toMatchObject({ code: status.OK });
  }
});

it("a method that is in no table is served to nobody", async () => {
  const method = { path: "/spin.v1.TrainerService/DropEverything", isStream: false };
  const { client } = walked.find(({ path }) => path.includes("TrainerService"))!;
  const { code } = await callRaw(client, method, bearer(tokens.admin));
  expect(code).toBe(status.UNIMPLEMENTED);
});
