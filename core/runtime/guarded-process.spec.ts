import { existsSync } from "node:fs";
import { until } from "../../test/support/until.js";
import { SpinError } from "../errors.js";
import { GuardedProcess } from "./guarded-process.js";

type Methods = {
  double(values: Float32Array): Promise<Float32Array>;
  spin(nothing: null): Promise<void>;
  wait(ms: number): Promise<string>;
  eat(nothing: null): Promise<void>;
  leave(nothing: null): Promise<void>;
  mistake(nothing: null): Promise<void>;
};

const HARMFUL = new URL("../../test/support/harmful-process.mjs", import.meta.url);
let guarded: GuardedProcess<Methods>;
const start = (silentMs: number) => {
  guarded = new GuardedProcess(HARMFUL, { silentMs, heapMiB: 64 });
};
beforeEach(() => start(1500));
afterEach(() => guarded.end());

const lost = (how: string) => new SpinError("invalid", `it ${how}`);
const double = (value: number) => guarded.call("double", Float32Array.of(value), lost);

test("calls are answered in order by one process", async () => {
  const answers = await Promise.all([1, 2, 3].map(double));
  expect(answers.map(([value]) => value)).toEqual([2, 4, 6]);
  const { pid } = guarded;
  await double(4);
  expect(guarded.pid).toBe(pid);
});

test("one that computes without end is ended, and the calls behind it are answered by another", async () => {
  await double(1);
  const { pid } = guarded;
  const gaps: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    gaps.push(performance.now() - last);
    last = performance.now();
  }, 20);
  const [spun, answer] = await Promise.allSettled([guarded.call("spin", null, lost), double(2)]);
  clearInterval(timer);
  expect(spun).toMatchObject({
    reason: { kind: "invalid", message: "it computed for 1.5 s without coming to an end" },
  });
  expect(answer).toMatchObject({ value: Float32Array.of(4) });
  expect(guarded.pid).not.toBe(pid);
  await until(() => !existsSync(`/proc/${pid}/exe`));
  expect(gaps.length).toBeGreaterThan(20); // this thread went on with its own
});

test("one that waits is let wait", async () => {
  expect(await guarded.call("wait", 3000, lost)).toBe("done");
});

test("one that takes all memory ends alone", async () => {
  start(60_000);
  await expect(guarded.call("eat", null, lost)).rejects.toThrow(/^it ended with (SIG|code)/);
  expect(await double(3)).toEqual(Float32Array.of(6));
});

test("one that leaves, or is ended between two calls, is started again", async () => {
  await expect(guarded.call("leave", null, lost)).rejects.toThrow("it ended with code 3");
  await double(1);
  process.kill(guarded.pid!, "SIGKILL");
  await until(() => guarded.pid === undefined);
  expect(await double(5)).toEqual(Float32Array.of(10));
});

test("errors cross: a mistake as internal", async () => {
  await expect(guarded.call("mistake", null, lost)).rejects.toMatchObject({ kind: "internal" });
});
