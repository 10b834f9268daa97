import { EventEmitter } from "node:events";
import { sleep } from "./deadline.js";
import { createLogger } from "./logging.js";
import { stopOnSignal } from "./shutdown.js";

/** A process that can be signalled without ending the tests. */
function start(stop: () => Promise<void>) {
  const source = new EventEmitter();
  const codes: number[] = [];
  stopOnSignal(stop, createLogger("test", "silent"), source, (code) => void codes.push(code));
  return { codes, signal: (name: string) => source.emit(name, name) };
}

describe("stopOnSignal", () => {
  it.each(["SIGTERM", "SIGINT"])("on %s stops first and then leaves with 0", async (name) => {
    const order: string[] = [];
    const { codes, signal } = start(async () => {
      await sleep(20);
      order.push("stopped");
    });
    signal(name);
    expect(codes).toEqual([]);
    await sleep(50);
    expect(order).toEqual(["stopped"]);
    expect(codes).toEqual([0]);
  });

  it("leaves with 1 where stopping fails", async () => {
    const { codes, signal } = start(() => Promise.reject(new Error("no")));
    signal("SIGTERM");
    await sleep(10);
    expect(codes).toEqual([1]);
  });

  it("leaves at once on a second signal, and stops but once", () => {
    let stops = 0;
    const { codes, signal } = start(() => {
      stops++;
      return new Promise(() => undefined);
    });
    signal("SIGINT");
    signal("SIGINT");
    expect(codes).toEqual([1]);
    expect(stops).toBe(1);
  });
});
