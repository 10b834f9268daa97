import { SpinError } from "../errors.js";
import { WorkerClient } from "./worker-client.js";

type Methods = {
  double(values: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  refuse(nothing: null, signal: AbortSignal): Promise<void>;
  break(nothing: null, signal: AbortSignal): Promise<void>;
  endless(nothing: null, signal: AbortSignal): Promise<void>;
  crash(nothing: null, signal: AbortSignal): Promise<void>;
};

let worker: WorkerClient<Methods>;
beforeEach(() => {
  worker = new WorkerClient(new URL("../../test/support/arithmetic-worker.mjs", import.meta.url));
});
afterEach(() => worker.stop());

test("calls are answered, each with its own result", async () => {
  const calls = [1, 2, 3].map((value) => worker.call("double", Float32Array.of(value)));
  expect((await Promise.all(calls)).map(([value]) => value)).toEqual([2, 4, 6]);
  expect(worker.pending).toBe(0);
});

test("arguments are copied unless they are handed over", async () => {
  const values = Float32Array.of(1, 2);
  await worker.call("double", values);
  expect(values).toHaveLength(2);
  await worker.call("double", values, { transfer: true });
  expect(values).toHaveLength(0);
});

test("a SpinError crosses with its kind, its fields and one remedy; another error as internal", async () => {
  const error: unknown = await worker.call("refuse", null).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SpinError);
  expect(error).toMatchObject({
    kind: "invalid",
    message: "nothing to compute; give some",
    details: { field: "values" },
  });
  await expect(worker.call("break", null)).rejects.toMatchObject({
    kind: "internal",
    message: expect.stringMatching("a mistake"),
  });
});

test("a call that computes ends when its signal is aborted, a call that waits never begins", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const running = worker.call("endless", null, { signal });
  const waiting = worker.call("double", Float32Array.of(1), { signal });
  const after = worker.call("double", Float32Array.of(4));
  setTimeout(() => controller.abort(), 50);
  await expect(running).rejects.toMatchObject({ kind: "cancelled", message: "told to stop" });
  await expect(waiting).rejects.toMatchObject({ kind: "cancelled" });
  expect([...(await after)]).toEqual([8]);
  await expect(worker.call("double", Float32Array.of(1), { signal })).rejects.toMatchObject({ kind: "cancelled" });
});

test("stopping ends the call in progress; later calls fail, and nothing is reported as a failure", async () => {
  const running = worker.call("endless", null);
  await Promise.all([expect(running).rejects.toMatchObject({ kind: "cancelled" }), worker.stop()]);
  await expect(worker.call("double", Float32Array.of(1))).rejects.toMatchObject({ kind: "unavailable" });
  const still = await Promise.race([worker.failed, new Promise((resolve) => setTimeout(resolve, 20, "none"))]);
  expect(still).toBe("none");
});

test("a worker that ends by itself fails its calls, and says so", async () => {
  await expect(worker.call("crash", null)).rejects.toMatchObject({ kind: "internal" });
  expect((await worker.failed).message).toMatch("out of order; restart the service");
  await expect(worker.call("double", Float32Array.of(1))).rejects.toMatchObject({ kind: "internal" });
});

test("a module that does not load is a failure too", async () => {
  const missing = new WorkerClient(new URL("../../test/support/no-such-worker.mjs", import.meta.url));
  expect((await missing.failed).kind).toBe("internal");
  await missing.stop();
});
