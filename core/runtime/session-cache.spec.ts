import { emitModel } from "../graph/onnx.js";
import * as ops from "../graph/ops/index.js";
import { Session } from "../graph/session.js";
import { SessionCache } from "./session-cache.js";

const addTo = (value: number) => Session.create(emitModel({ y: ops.add(ops.input("x", [1]), value) }));
const at = async (session: Session) => (await session.run({ x: Float32Array.of(10) })).y![0];

/** A cache whose compilations are counted, by key. */
function counted(capacity: number) {
  const cache = new SessionCache(capacity);
  const made: number[] = [];
  const add = (value: number, run: (session: Session) => Promise<number | undefined> = at) => {
    const create = () => {
      made.push(value);
      return addTo(value);
    };
    return cache.use(`${value}`, create, run);
  };
  return { cache, made, add };
}

test("a key is compiled once, also when two ask for it at the same time", async () => {
  const { made, add, cache } = counted(2);
  expect(await Promise.all([add(1), add(1), add(2)])).toEqual([11, 11, 12]);
  expect(await add(1)).toBe(11);
  expect(made).toEqual([1, 2]);
  await cache.release();
});

test("past its capacity the session that was idle longest goes, and is compiled again when needed", async () => {
  const { made, add, cache } = counted(2);
  for (const value of [1, 2, 1, 3]) await add(value);
  expect(cache.size).toBe(2);
  for (const value of [1, 3, 2]) await add(value);
  expect(made).toEqual([1, 2, 3, 2]);
  await cache.release();
});

test("a session in use is not released, be there ever so many others", async () => {
  const { add, cache } = counted(1);
  const result = await add(1, async (session) => {
    await add(2);
    await add(3);
    return at(session);
  });
  expect(result).toBe(11);
  expect(cache.size).toBe(1);
  await cache.release();
});

test("a failed compilation is tried afresh, a failed run keeps the session", async () => {
  const { made, add, cache } = counted(2);
  await expect(cache.use("1", () => Promise.reject(new Error("no memory")), at)).rejects.toThrow("no memory");
  await expect(add(1, () => Promise.reject(new Error("bad feeds")))).rejects.toThrow("bad feeds");
  expect(await add(1)).toBe(11);
  expect(made).toEqual([1]);
  await cache.release();
});

test("nothing runs once the cache is released; what was running ends first", async () => {
  const { add, cache } = counted(2);
  const running = add(1, async (session) => {
    await cache.release();
    return at(session);
  });
  expect(await running).toBe(11);
  expect(cache.size).toBe(0);
  await expect(add(1)).rejects.toThrow("was released");
});
