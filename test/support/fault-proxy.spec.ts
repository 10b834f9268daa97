import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { FaultProxy } from "./fault-proxy.js";

let echo: Server;
let proxy: FaultProxy;
beforeEach(async () => {
  echo = createServer((socket) => void socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  proxy = await FaultProxy.listen(0, (echo.address() as AddressInfo).port);
});
afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

async function open() {
  const socket = connect(Number(proxy.address.split(":")[1]), "127.0.0.1");
  const seen = { text: "", pieces: 0, error: "" };
  socket.on("data", (data: Buffer) => {
    seen.text += String(data);
    seen.pieces += 1;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => (seen.error = error.code ?? ""));
  const closed = once(socket, "close").catch(() => undefined);
  await once(socket, "connect");
  return { socket, seen, closed };
}

const received = async ({ seen }: { seen: { text: string } }, text: string) => {
  while (seen.text !== text) await new Promise((resolve) => setTimeout(resolve, 5));
};

test("what is sent comes back, late or in slices too", async () => {
  const link = await open();
  link.socket.write("one");
  await received(link, "one");
  proxy.set({ latencyMs: 100, sliceBytes: 1 });
  const start = performance.now();
  link.socket.write(" two");
  await received(link, "one two");
  expect(performance.now() - start).toBeGreaterThan(150); // There and back.
  link.socket.destroy();
});

test("a black hole takes everything and ends nothing", async () => {
  const link = await open();
  proxy.set({ blackhole: true });
  link.socket.write("lost");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(link.seen).toMatchObject({ text: "", error: "" });
  expect(link.socket.destroyed).toBe(false);
  link.socket.destroy();
});

test("a cut ends in order, a reset does not", async () => {
  const cut = await open();
  cut.socket.write("x");
  await received(cut, "x");
  proxy.cut();
  await cut.closed;
  expect(cut.seen.error).toBe("");
  const reset = await open();
  reset.socket.write("x");
  await received(reset, "x");
  proxy.reset();
  await reset.closed;
  expect(reset.seen.error).toBe("ECONNRESET");
});

test("a narrow link takes its time for many bytes", async () => {
  const link = await open();
  proxy.set({ bytesPerSecond: 10_000 });
  const start = performance.now();
  link.socket.write("x".repeat(1_000));
  await received(link, "x".repeat(1_000));
  expect(performance.now() - start).toBeGreaterThan(150); // There and back.
  link.socket.destroy();
});

test("of a half-open connection the near side hears nothing, and a new one works", async () => {
  const link = await open();
  link.socket.write("one");
  await received(link, "one");
  proxy.halfOpen();
  link.socket.write("lost");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(link.seen).toMatchObject({ text: "one", error: "" });
  expect(link.socket.destroyed).toBe(false);
  const next = await open();
  next.socket.write("two");
  await received(next, "two");
  for (const { socket } of [link, next]) socket.destroy();
});

test.each(["there", "back"] as const)(
  "one bit is flipped on the way %s, in a piece that is large enough",
  async (way) => {
    const link = await open();
    const flipped = proxy.flip({ way, place: 0.6, leastBytes: 4 });
    link.socket.write("abc");
    await received(link, "abc");
    link.socket.write("defg");
    await flipped;
    await received(link, "abcdeng");
    link.socket.destroy();
  },
);

test("what is redirected goes elsewhere from then on", async () => {
  const other = createServer((socket) => void socket.on("error", () => undefined).end("elsewhere")).listen(
    0,
    "127.0.0.1",
  );
  await once(other, "listening");
  const before = await open();
  proxy.redirect((other.address() as AddressInfo).port);
  await before.closed;
  const link = await open();
  await received(link, "elsewhere");
  await new Promise((resolve) => other.close(resolve));
});
