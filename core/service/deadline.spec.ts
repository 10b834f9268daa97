import { SpinError } from "../errors.js";
import { abortable, Deadline, sleep, throwIfAborted } from "./deadline.js";

const never = new Promise<void>(() => undefined);

describe("Deadline", () => {
  it("aborts when its time is over, naming the time", async () => {
    const deadline = new Deadline(20);
    await expect(abortable(never, deadline.signal)).rejects.toMatchObject({
      kind: "cancelled",
      message: "not done within 0.02 s",
    });
  });

  it("aborts with its parent, and with one that is aborted already", () => {
    const parent = new AbortController();
    const deadline = new Deadline(Number.POSITIVE_INFINITY, parent.signal);
    parent.abort(new SpinError("unavailable", "going away"));
    expect(() => throwIfAborted(deadline.signal)).toThrow("going away");
    expect(new Deadline(1000, parent.signal).signal.aborted).toBe(true);
  });

  it("does nothing any more once disposed", async () => {
    const parent = new AbortController();
    const deadline = new Deadline(20, parent.signal);
    deadline.dispose();
    parent.abort();
    await sleep(40);
    expect(deadline.signal.aborted).toBe(false);
  });

  it("takes a time of many years for what it is", async () => {
    const deadline = new Deadline(1e15);
    await sleep(10);
    expect(deadline.signal.aborted).toBe(false);
    deadline.dispose();
  });
});

describe("abortable", () => {
  it("gives the promise's own outcome where that comes first", async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error("own")), signal)).rejects.toThrow("own");
  });

  it("rejects at once where the signal is aborted already", async () => {
    await expect(abortable(never, AbortSignal.abort())).rejects.toMatchObject({
      kind: "cancelled",
      message: "the caller gave up",
    });
  });
});

describe("sleep", () => {
  it("ends early with its signal", async () => {
    const controller = new AbortController();
    const slept = sleep(60_000, controller.signal);
    controller.abort();
    await expect(slept).rejects.toMatchObject({ kind: "cancelled" });
  });
});
