import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import {
  GeneratorServiceService,
  RenderImagesRequest,
  RenderImagesResponse,
} from "../../proto/gen/spin/v1/generator_service.js";
import { startGeneratorServer } from "../../test/support/generator-server.js";
import { fields } from "../../test/support/reflection.js";
import { until } from "../../test/support/until.js";
import { SpinError } from "../errors.js";
import { RpcChannel } from "./client.js";
import { readConfig } from "./config.js";
import { sleep } from "./deadline.js";
import { DOOR_SETTINGS } from "./doors/settings.js";
import { createLogger } from "./logging.js";
import { startServer } from "./server.js";

const { getGenerator, renderImages } = GeneratorServiceService;
const render = RenderImagesRequest.create();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});
const start = async (...args: Parameters<typeof startGeneratorServer>) => {
  const running = await startGeneratorServer(...args);
  closers.push(running.close);
  return running;
};
const doors = readConfig(DOOR_SETTINGS, { insecure: "1" }, {});
const listen = (host: string, port: number) =>
  startServer({ host, port, services: [], log: createLogger("test", "silent"), doors });

describe("health", () => {
  it("follows setServing, for the server and for each service, and does not know others", async () => {
    const { server } = await start({});
    const health = new (makeGenericClientConstructor(healthService, "Health"))(
      `127.0.0.1:${server.port}`,
      credentials.createInsecure(),
    );
    closers.push(() => health.close());
    const check = (service: string) =>
      new Promise((resolve) => {
        health.Check!({ service }, (error: ServiceError | null, response: { status: string }) =>
          resolve(error?.code ?? response.status),
        );
      });
    expect(await check("")).toBe("NOT_SERVING");
    server.setServing(true);
    expect(await check("")).toBe("SERVING");
    expect(await check("spin.v1.GeneratorService")).toBe("SERVING");
    expect(await check("spin.v1.Nobody")).toBe(5);
    server.setServing(false);
    expect(await check("spin.v1.GeneratorService")).toBe("NOT_SERVING");
  });
});

describe.each(["v1", "v1alpha"])("reflection %s", (version) => {
  const LIST = Buffer.from([0x3a, 0x00]); // ServerReflectionRequest { list_services = "" }
  const symbol = (name: string) => Buffer.concat([Buffer.from([0x22, name.length]), Buffer.from(name)]); // file_containing_symbol

  it("lists the services that the server has, and no others", async () => {
    const { server } = await start({});
    const response = fields(await ask(server.port, version, LIST), 6)[0]!;
    const names = fields(response, 1).map((service) => fields(service, 1)[0]!.toString());
    expect(new Set(names)).toEqual(new Set(["grpc.health.v1.Health", "spin.v1.GeneratorService"]));
  });

  it("describes the health service too", async () => {
    const { server } = await start({});
    const response = fields(await ask(server.port, version, symbol("grpc.health.v1.Health")), 4)[0]!;
    const [file] = fields(response, 1).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    expect(file?.service[0]?.method.map((method) => method.name)).toEqual(["Check", "Watch"]);
  });

  it("describes a service with everything that it refers to, comments included", async () => {
    const { server } = await start({});
    const response = fields(await ask(server.port, version, symbol("spin.v1.GeneratorService")), 4)[0]!;
    const file = fields(response, 1).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const names = file.map((descriptor) => descriptor.name);
    expect(names).toEqual(expect.arrayContaining(file.flatMap((descriptor) => descriptor.dependency)));
    expect(names).toContain("spin/v1/tensor.proto");
    const methods = file[0]?.service[0]?.method.map((method) => method.name);
    expect(methods).toEqual(["SampleTrajectories", "RenderImages", "GetGenerator"]);
    const comments = file[0]?.sourceCodeInfo?.location.map((location) => location.leadingComments).join("");
    expect(comments).toContain("Runs frozen weights");
  });
});

describe("an address that cannot be had", () => {
  it("is refused with the port and the remedy where another process listens", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await expect(listen("127.0.0.1", port)).rejects.toMatchObject({
      kind: "precondition",
      message: expect.stringContaining(`port ${port} of 127.0.0.1 is in use; end the process that listens there`),
    });
    other.close();
  });

  it("is refused with the address where the host is not this machine's", async () => {
    await expect(listen("192.0.2.1", 0)).rejects.toMatchObject({
      kind: "precondition",
      message: expect.stringContaining("192.0.2.1:0"),
    });
  });
});

describe("stop", () => {
  it("lets calls at work end, and takes no new ones", async () => {
    let isEntered = false;
    const { server, channel } = await start({
      getGenerator: async () => {
        isEntered = true;
        await sleep(200);
        return { generator: undefined };
      },
    });
    const call = channel.call(getGenerator, {});
    await until(() => isEntered);
    const stopped = server.stop(5_000);
    const late = new RpcChannel(`127.0.0.1:${server.port}`);
    closers.push(() => late.close());
    await expect(late.call(getGenerator, {}, { timeoutMs: 1_000 })).rejects.toMatchObject({ kind: "unavailable" });
    await expect(call).resolves.toEqual({ generator: undefined });
    await stopped;
  });

  it("aborts what does not end in time: the producer stops, and the caller is told to come back", async () => {
    let ended = false;
    const { server, channel } = await start({
      renderImages: async function* () {
        try {
          for (let item = 0; ; item++) {
            yield RenderImagesResponse.fromPartial({ item });
            await sleep(10);
          }
        } finally {
          ended = true;
        }
      },
    });
    const messages = channel.stream(renderImages, render);
    await messages.next();
    const began = performance.now();
    const stopped = server.stop(200);
    const error: unknown = await (async () => {
      for await (const _ of messages);
    })().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SpinError);
    expect(error).toMatchObject({ kind: "unavailable", details: { retryAfterSeconds: 5 } });
    await stopped;
    expect(performance.now() - began).toBeLessThan(1_500);
    await until(() => ended);
  });

  it("cuts connections that nothing else ends", async () => {
    const { server } = await start({});
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const health = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    closers.push(() => health.close());
    const watch = health.makeServerStreamRequest("/grpc.health.v1.Health/Watch", asIs, asIs, Buffer.alloc(0));
    watch.on("error", () => undefined);
    watch.on("data", () => undefined);
    await once(watch, "data");
    await server.stop(50);
    await expect(listen("127.0.0.1", server.port).then((next) => next.stop(0))).resolves.toBeUndefined();
    socket.destroy();
  });
});

describe("a channel", () => {
  it("says which address does not answer", async () => {
    const channel = new RpcChannel("127.0.0.1:1");
    closers.push(() => channel.close());
    await expect(channel.waitForReady(200)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("nothing answers at 127.0.0.1:1 within 0.2 s"),
    });
    await expect(channel.call(getGenerator, {}, { timeoutMs: 500 })).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("127.0.0.1:1"),
    });
  });

  it("waits for a server that comes late", async () => {
    const { server, close } = await startGeneratorServer({});
    await close();
    const channel = new RpcChannel(`127.0.0.1:${server.port}`);
    closers.push(() => channel.close());
    const ready = channel.waitForReady(10_000);
    await sleep(300);
    const late = await listen("127.0.0.1", server.port);
    closers.push(() => late.stop(0));
    await expect(ready).resolves.toBeUndefined();
  });

  it("ignores a proxy that the environment names", async () => {
    const { no_proxy } = process.env;
    Object.assign(process.env, { grpc_proxy: "http://127.0.0.1:1", no_proxy: "" });
    closers.push(() => {
      delete process.env.grpc_proxy;
      if (no_proxy === undefined) delete process.env.no_proxy;
      else process.env.no_proxy = no_proxy;
    });
    const { channel } = await start({ getGenerator: async () => ({ generator: undefined }) });
    await expect(channel.call(getGenerator, {}, { timeoutMs: 2_000 })).resolves.toEqual({ generator: undefined });
  });
});

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** One question to server reflection, and its answer. */
async function ask(port: number, version: string, request: Buffer): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    asIs,
    asIs,
  );
  call.write(request);
  const [answer] = (await once(call, "data")) as [Buffer];
  call.end();
  client.close();
  return answer;
}
