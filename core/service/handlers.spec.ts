import { EventEmitter, once } from "node:events";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import {
  GeneratorServiceService,
  RenderImagesRequest,
  RenderImagesResponse,
  SampleTrajectoriesRequest,
  SampleTrajectoriesResponse,
} from "../../proto/gen/spin/v1/generator_service.js";
import { startGeneratorServer } from "../../test/support/generator-server.js";
import { until } from "../../test/support/until.js";
import { SpinError } from "../errors.js";
import { sleep } from "./deadline.js";

const { getGenerator, renderImages, sampleTrajectories } = GeneratorServiceService;
const closers: (() => Promise<void>)[] = [];
const start = async (...args: Parameters<typeof startGeneratorServer>) => {
  const running = await startGeneratorServer(...args);
  closers.push(running.close);
  return running;
};
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const picture = (item: number, bytes = 0) =>
  RenderImagesResponse.fromPartial({ item, image: Buffer.alloc(bytes, item) });
const render = RenderImagesRequest.create();
const reject = async (promise: Promise<unknown>): Promise<SpinError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SpinError);
  return error as SpinError;
};
const drain = async (messages: AsyncIterable<unknown>) => {
  for await (const _ of messages);
};

describe("a unary call", () => {
  it("brings the answer", async () => {
    const { channel } = await start({ getGenerator: async () => ({ generator: undefined }) });
    await expect(channel.call(getGenerator, {})).resolves.toEqual({ generator: undefined });
  });

  it("brings a SpinError whole: kind, message, field, remedy and retry delay", async () => {
    const thrown = new SpinError("exhausted", "the queue is full: 8 batches wait", {
      field: "num_samples",
      file: "unet/ü.safetensors",
      tensor: "conv_in.weight",
      remedy: "ask again later",
      retryAfterSeconds: 2.5,
    });
    const { channel } = await start({ getGenerator: () => Promise.reject(thrown) });
    const error = await reject(channel.call(getGenerator, {}));
    expect(error.kind).toBe("exhausted");
    expect(error.message).toBe(thrown.message);
    const { cause, ...details } = error.details;
    expect(details).toEqual(thrown.details);
    expect((cause as ServiceError).code).toBe(8);
  });

  it("tells nothing of the inside of an unforeseen error", async () => {
    const { channel } = await start({ getGenerator: () => Promise.reject(new Error("secret of /etc/shadow")) });
    const error = await reject(channel.call(getGenerator, {}));
    expect(error.kind).toBe("internal");
    expect(error.message).not.toContain("secret");
  });

  it("ends by the caller's deadline, which the handler sees", async () => {
    let aborted = false;
    const { channel } = await start({
      getGenerator: async (_, { signal }) => {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        await sleep(60_000, signal);
        return { generator: undefined };
      },
    });
    const error = await reject(channel.call(getGenerator, {}, { timeoutMs: 100 }));
    expect(error.kind).toBe("cancelled");
    expect(error.message).toContain("DEADLINE_EXCEEDED");
    await until(() => aborted);
  });

  it("ends by the server's time limit where the caller sets none, even if the handler is deaf", async () => {
    const { server } = await start({ getGenerator: () => new Promise(() => undefined) }, { unaryTimeoutMs: 100 });
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(
        getGenerator.path,
        getGenerator.requestSerialize,
        getGenerator.responseDeserialize,
        {},
        (thrown) => resolve(thrown),
      );
    });
    client.close();
    expect(error?.code).toBe(4);
    expect(error?.details).toContain("0.1 s");
  });

  it("is cancelled by its signal, down to the handler", async () => {
    const entered = deferred();
    const seen = deferred();
    const { channel } = await start({
      getGenerator: async (_, { signal }) => {
        entered.resolve();
        signal.addEventListener("abort", () => seen.resolve());
        return sleep(60_000, signal).then(() => ({ generator: undefined }));
      },
    });
    const controller = new AbortController();
    const call = reject(channel.call(getGenerator, {}, { signal: controller.signal }));
    await entered.promise;
    controller.abort();
    expect((await call).kind).toBe("cancelled");
    await seen.promise;
  });

  it("with bytes that are no message is refused as invalid", async () => {
    const { server } = await start({ sampleTrajectories: async function* () {} });
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const call = client.makeServerStreamRequest(
      sampleTrajectories.path,
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      Buffer.from([0x0a, 0xff, 0xff]),
    );
    call.on("data", () => undefined);
    const [error] = (await once(call, "error")) as [ServiceError];
    client.close();
    expect(error.code).toBe(3);
  });
});

describe("a stream", () => {
  it("brings every message in order and ends", async () => {
    const { channel } = await start({
      renderImages: async function* () {
        for (let item = 0; item < 50; item++) yield picture(item);
      },
    });
    const items: number[] = [];
    for await (const { item } of channel.stream(renderImages, render)) items.push(item);
    expect(items).toEqual(Array.from({ length: 50 }, (_, item) => item));
  });

  it("brings an error after the messages before it", async () => {
    const { channel } = await start({
      renderImages: async function* () {
        yield picture(0);
        throw new SpinError("notFound", "no caption 7", { field: "items[1].caption_index" });
      },
    });
    const items: number[] = [];
    const error = await reject(
      (async () => {
        for await (const { item } of channel.stream(renderImages, render)) items.push(item);
      })(),
    );
    expect(items).toEqual([0]);
    expect(error.kind).toBe("notFound");
    expect(error.details.field).toBe("items[1].caption_index");
  });

  it("stops its producer when the caller leaves the loop", async () => {
    const { channel, made, ended } = await startCounting();
    for await (const { item } of channel.stream(renderImages, render)) if (item === 3) break;
    await ended;
    const count = made();
    await sleep(50);
    expect(made()).toBe(count);
  });

  it("stops its producer when the caller's signal is aborted", async () => {
    const { channel, made, ended } = await startCounting();
    const controller = new AbortController();
    const call = reject(drain(channel.stream(renderImages, render, { signal: controller.signal })));
    await until(() => made() > 0);
    controller.abort();
    expect((await call).kind).toBe("cancelled");
    await ended;
  });

  it("stops its producer when the deadline passes", async () => {
    const { channel, ended } = await startCounting();
    const error = await reject(drain(channel.stream(renderImages, render, { timeoutMs: 100 })));
    expect(error.kind).toBe("cancelled");
    await ended;
  });

  it("lets a caller go whose producer is deaf to its signal", async () => {
    const { channel } = await start({
      renderImages: async function* () {
        yield picture(0);
        await new Promise(() => undefined);
      },
    });
    for await (const _ of channel.stream(renderImages, render)) break;
  });

  it("holds its producer back while the caller reads nothing", async () => {
    const size = 1 << 20;
    let made = 0;
    const { channel } = await start({
      renderImages: async function* (_, { signal }) {
        while (!signal.aborted) {
          made++;
          yield picture(0, size);
          await sleep(0);
        }
      },
    });
    const messages = channel.stream(renderImages, render);
    await messages.next();
    let held = -1;
    while (made !== held && made < 100) {
      held = made; // A busy machine takes its time to fill the buffers.
      await sleep(500);
    }
    // One taken and 16 waiting at the caller, up to two on the way, one computed ahead.
    expect(held).toBeLessThanOrEqual(20);
    await messages.next();
    await until(() => made > held);
    await messages.return();
  });
});

describe("a caller that leaves things undone", () => {
  it("and reads nothing of a stream loses it, so that its place is free for others", async () => {
    const ended = deferred();
    const { channel } = await start(
      {
        renderImages: async function* (_, { signal }) {
          try {
            while (!signal.aborted) yield picture(0, 1 << 20);
          } finally {
            ended.resolve();
          }
        },
      },
      { stallTimeoutMs: 300 },
    );
    const messages = channel.stream(renderImages, render);
    await messages.next();
    await ended.promise;
    const error = await reject(drain(messages));
    expect(error.kind).toBe("cancelled");
    expect(error.message).toContain("the caller has read nothing for 0.3 s");
  });

  it("and reads slowly, but reads, is served to the end", async () => {
    const { channel } = await start(
      {
        renderImages: async function* () {
          for (let item = 0; item < 60; item++) yield picture(item, 1 << 20);
        },
      },
      { stallTimeoutMs: 400 },
    );
    let items = 0;
    for await (const _ of channel.stream(renderImages, render)) {
      items += 1;
      await sleep(20);
    }
    expect(items).toBe(60);
  }, 20_000);

  it.each([
    ["sends no request", []],
    ["does not end its request", [Buffer.alloc(5)]],
  ])("and %s is let go", async (_, sent) => {
    const { server } = await start({}, { requestTimeoutMs: 200 });
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const asIs = (bytes: Buffer) => bytes;
    const call = client.makeClientStreamRequest(getGenerator.path, asIs, asIs, () => undefined);
    for (const message of sent) call.write(message);
    const [error] = (await once(call, "status")) as [ServiceError];
    client.close();
    expect(error.code).toBe(4);
    expect(error.details).toContain("no request came within 0.2 s");
  });
});

describe("message limits", () => {
  const limits = { requestLimit: 10_000, responseLimit: 10_000 };
  const large = SampleTrajectoriesRequest.fromPartial({ spec: { dataset: { name: "x".repeat(20_000) } } });

  it("refuse a request at the caller, naming the limit", async () => {
    const { channel } = await start({ sampleTrajectories: async function* () {} }, {}, limits);
    const error = await reject(drain(channel.stream(sampleTrajectories, large)));
    expect(error.kind).toBe("exhausted");
    expect(error.message).toContain("10000");
  });

  it("refuse a request at the server, naming the limit", async () => {
    const { channel } = await start({ sampleTrajectories: async function* () {} }, limits);
    const error = await reject(drain(channel.stream(sampleTrajectories, large)));
    expect(error.kind).toBe("exhausted");
    expect(error.message).toContain("10000");
  });

  it("refuse a response at the server, naming the limit and the remedy, and stop the producer", async () => {
    let ended = false;
    const { channel } = await start(
      {
        renderImages: async function* () {
          try {
            yield picture(0, 20_000);
            yield picture(1);
          } finally {
            ended = true;
          }
        },
      },
      limits,
    );
    const error = await reject(drain(channel.stream(renderImages, render)));
    expect(error.kind).toBe("exhausted");
    expect(error.message).toContain("the limit is 10000");
    expect(error.details.remedy).toBe("ask for a smaller batch");
    await until(() => ended);
  });

  it("refuse a response at the caller, naming the limit", async () => {
    const handlers = {
      sampleTrajectories: async function* () {
        yield SampleTrajectoriesResponse.fromPartial({ batch: { specDigest: "x".repeat(20_000) } });
      },
    };
    const { channel } = await start(handlers, {}, limits);
    const error = await reject(drain(channel.stream(sampleTrajectories, SampleTrajectoriesRequest.create())));
    expect(error.kind).toBe("exhausted");
    expect(error.message).toContain("10000");
  });
});

/** A server that renders without end, what it has made, and a promise of its producer's end. */
async function startCounting() {
  const { promise: ended, resolve } = deferred();
  let made = 0;
  const { channel } = await start({
    renderImages: async function* () {
      try {
        for (;;) {
          await sleep(2);
          yield picture(made++);
        }
      } finally {
        resolve();
      }
    },
  });
  return { channel, ended, made: () => made };
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  const emitter = new EventEmitter();
  return { promise: once(emitter, "done").then(() => undefined), resolve: () => emitter.emit("done") };
}
