import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { HealthService } from "../../../proto/gen/grpc/health/v1/health.js";
import { GeneratorServiceService } from "../../../proto/gen/spin/v1/generator_service.js";
import { startGeneratorServer } from "../../../test/support/generator-server.js";
import { keyFiles, type TestKeys, writeCertificate, writeKeys, writeTokens } from "../../../test/support/keys.js";
import { useSharedFolder, useTemporaryFolder } from "../../../test/support/temporary-folder.js";
import { until } from "../../../test/support/until.js";
import { RpcChannel } from "../client.js";
import { readConfig } from "../config.js";
import { createLogger } from "../logging.js";
import { Caller } from "./caller.js";
import { openDoors } from "./open-doors.js";
import { DOOR_SETTINGS } from "./settings.js";

const folder = useTemporaryFolder();
/** Made once: keys take long. Each test has a copy of the files, which it may change. */
const made = useSharedFolder();
beforeAll(async () => {
  const { authority } = await writeKeys(made());
  await writeCertificate(authority, made(), "old", ["127.0.0.1"], -1);
  await writeKeys(made(), "other-");
}, 120_000);

async function keysOf(prefix = ""): Promise<TestKeys> {
  await cp(made(), folder(), { recursive: true });
  return keyFiles(folder(), prefix);
}

const { getGenerator } = GeneratorServiceService;
const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const doorsOf = (flags: Record<string, string>) => readConfig(DOOR_SETTINGS, flags, {});
const silent = createLogger("test", "silent");

/** A server behind doors, and a way to call it. */
async function serve(flags: Record<string, string>) {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk, _, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const { server, close } = await startGeneratorServer(
    { getGenerator: async () => ({ generator: undefined }) },
    { doors: doorsOf(flags), log: createLogger("test", "debug", sink), reloadMs: 20 },
  );
  closers.push(close);
  const call = async (caller: Caller, host = "127.0.0.1") => {
    const channel = new RpcChannel(`${host}:${server.port}`, { caller });
    try {
      return await channel.call(getGenerator, {}, { timeoutMs: 3_000 });
    } finally {
      channel.close();
    }
  };
  return { server, call, lines };
}

describe("listening", () => {
  const beyond = "0.0.0.0";

  it.each([
    ["nothing", {}, "without TLS and tokens"],
    ["TLS alone", { serverCert: "server.pem", serverKey: "server-key.pem" }, "without tokens"],
    ["tokens alone", { tokensFile: "tokens.json" }, "without TLS"],
  ])("beyond loopback with %s is refused, with what to do", async (_, flags, message) => {
    await keysOf();
    await writeTokens(join(folder(), "tokens.json"), { a: "read" });
    const config = doorsOf(
      Object.fromEntries(Object.entries(flags).map(([name, file]) => [name, join(folder(), file)])),
    );
    for (const host of [beyond, "::", "192.0.2.1", "example.org"]) {
      await expect(openDoors(host, config, silent)).rejects.toMatchObject({
        kind: "precondition",
        message: expect.stringMatching(new RegExp(`${message}; .*--insecure`)),
      });
    }
    for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) (await openDoors(host, config, silent)).close();
  });

  it("beyond loopback is allowed with both, or where --insecure asks for it", async () => {
    const keys = await keysOf();
    await writeTokens(join(folder(), "tokens.json"), { a: "read" });
    const both = {
      serverCert: keys.server.cert,
      serverKey: keys.server.key,
      tokensFile: join(folder(), "tokens.json"),
    };
    (await openDoors(beyond, doorsOf(both), silent)).close();
    (await openDoors(beyond, doorsOf({ insecure: "1" }), silent)).close();
  });

  it.each([
    [{ serverCert: "server.pem" }, "go together"],
    [{ clientCa: "ca.pem" }, "CLIENT_CA needs"],
    [{ serverCert: "server.pem", serverKey: "client-key.pem" }, "cannot be used with"],
    [{ serverCert: "server-key.pem", serverKey: "server-key.pem" }, "is not a certificate"],
    [{ serverCert: "old.pem", serverKey: "old-key.pem" }, "the certificate expired on"],
    [{ serverCert: "missing.pem", serverKey: "server-key.pem" }, "does not exist"],
    [{ tokensFile: "server.pem" }, "is not JSON"],
  ])("with %p fails", async (flags, message) => {
    await keysOf();
    const config = doorsOf(
      Object.fromEntries(Object.entries(flags).map(([name, file]) => [name, join(folder(), file)])),
    );
    await expect(openDoors("127.0.0.1", config, silent)).rejects.toThrow(message);
  });
});

describe("TLS", () => {
  it("says which is wrong: the CA, the name, or TLS on one side alone", async () => {
    const keys = await keysOf();
    const other = keyFiles(folder(), "other-");
    const { call, server } = await serve({ serverCert: keys.server.cert, serverKey: keys.server.key });
    await expect(call(await Caller.open({ tlsCa: keys.ca }))).resolves.toBeDefined();
    await expect(call(await Caller.open({ tlsCa: keys.ca }), "localhost")).resolves.toBeDefined();

    const where = `127.0.0.1:${server.port}`;
    await expect(call(await Caller.open({ tlsCa: other.ca }))).rejects.toThrow(
      `${where}: its certificate, issued by "test CA", is not signed by the CA in ${other.ca} (wrong CA`,
    );
    await expect(call(await Caller.open({ tlsCa: keys.ca, tlsName: "generator" }))).rejects.toThrow(
      `${where}: its certificate is for IP Address:127.0.0.1, DNS:localhost, not for "generator" (wrong name)`,
    );
    await expect(call(Caller.anonymous())).rejects.toThrow(`${where} speaks TLS, and was called without`);
    const plain = await serve({});
    await expect(plain.call(await Caller.open({ tlsCa: keys.ca }))).rejects.toThrow("does not speak TLS");
  });

  it("says so too where a client waits for the service to be ready", async () => {
    const keys = await keysOf();
    const other = keyFiles(folder(), "other-");
    const { server } = await serve({ serverCert: keys.server.cert, serverKey: keys.server.key });
    const channel = new RpcChannel(`127.0.0.1:${server.port}`, { caller: await Caller.open({ tlsCa: other.ca }) });
    closers.push(() => channel.close());
    await expect(channel.waitForReady(500)).rejects.toThrow("wrong CA");
  });

  it("asks clients for a certificate that its CA has signed, where there is a CLIENT_CA", async () => {
    const keys = await keysOf();
    const other = keyFiles(folder(), "other-");
    const { call } = await serve({ serverCert: keys.server.cert, serverKey: keys.server.key, clientCa: keys.ca });
    const mutual = { tlsCa: keys.ca, tlsCert: keys.client.cert, tlsKey: keys.client.key };
    await expect(call(await Caller.open(mutual))).resolves.toBeDefined();
    await expect(call(await Caller.open({ tlsCa: keys.ca }))).rejects.toThrow("asks for a client's certificate");
    const stranger = { tlsCa: keys.ca, tlsCert: other.client.cert, tlsKey: other.client.key };
    await expect(call(await Caller.open(stranger))).rejects.toThrow("does not accept this client's certificate");
  });

  it("gives new connections a renewed certificate, keeps the old one where the new is wrong, and takes renewed keys as a client", async () => {
    const keys = await keysOf();
    const renewed = keyFiles(folder(), "other-");
    const { call, lines } = await serve({ serverCert: keys.server.cert, serverKey: keys.server.key });
    const old = await Caller.open({ tlsCa: keys.ca }, undefined, 0);
    const next = await Caller.open({ tlsCa: renewed.ca });
    await call(old);

    await writeFile(keys.server.cert, "no certificate");
    await until(() => lines.some((line) => line.includes("changed files are wrong")));
    await expect(call(old)).resolves.toBeDefined();

    await writeFile(keys.server.key, await readFile(renewed.server.key));
    await writeFile(keys.server.cert, await readFile(renewed.server.cert));
    await until(() => lines.some((line) => line.includes("took in changed files")));
    await expect(call(next)).resolves.toBeDefined();
    await expect(call(old)).rejects.toThrow("wrong CA");
    await writeFile(keys.ca, await readFile(renewed.ca));
    await expect(call(old)).resolves.toBeDefined();
    expect(lines.join("")).not.toMatch(/PRIVATE KEY|no certificate/);
  });
});

describe("tokens", () => {
  it("are taken from a file that changes, at both ends, and appear in no log", async () => {
    const tokensFile = join(folder(), "tokens.json");
    const tokenFile = join(folder(), "token");
    const first = (await writeTokens(tokensFile, { me: "read" })).me;
    await writeFile(tokenFile, `${first}\n`);
    const { call, lines } = await serve({ tokensFile });
    const caller = await Caller.open({ tokenFile }, undefined, 0);
    await call(caller);

    await writeFile(tokensFile, "{");
    await until(() => lines.some((line) => line.includes("changed files are wrong")));
    await call(caller);

    const second = (await writeTokens(tokensFile, { me: "read" })).me;
    await until(() => lines.some((line) => line.includes("took in changed files")));
    await expect(call(caller)).rejects.toMatchObject({ kind: "unauthenticated" });
    await writeFile(tokenFile, second);
    await call(caller);
    expect(lines.join("")).not.toMatch(/spin_/);
    expect(lines.filter((line) => line.includes("call refused at the door"))).toHaveLength(1);
  });

  it("do not cross a network in the clear", async () => {
    const caller = await Caller.open({}, "secret");
    const channel = new RpcChannel("192.0.2.1:50051", { caller });
    closers.push(() => channel.close());
    await expect(channel.call(getGenerator, {})).rejects.toThrow("would cross the network");
  });
});

describe("room", () => {
  it("is refused to calls beyond MAX_CALLS, with when to come back, and health is answered all the same", async () => {
    let entered = 0;
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const { channel, close } = await startGeneratorServer(
      {
        getGenerator: async () => {
          entered += 1;
          await held;
          return { generator: undefined };
        },
      },
      { doors: doorsOf({ maxCalls: "2" }) },
    );
    closers.push(close);
    const inside = [channel.call(getGenerator, {}), channel.call(getGenerator, {})];
    await until(() => entered === 2);
    await expect(channel.call(getGenerator, {})).rejects.toMatchObject({
      kind: "exhausted",
      details: { retryAfterSeconds: 1 },
    });
    const health = { ...HealthService.check, responseStream: false as const };
    await expect(channel.call(health, { service: "" })).resolves.toBeDefined();
    release();
    await Promise.all(inside);
    await expect(channel.call(getGenerator, {})).resolves.toBeDefined();
  });
});
