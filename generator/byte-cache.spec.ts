import { ByteCache } from "./byte-cache.js";

test("values beyond the bound go, the least recently used first", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  expect(cache.get("a")).toBe("A");
  cache.set("c", "C", 4);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual(["A", undefined, "C"]);
  expect(cache.bytes).toBe(8);
});

test("a value set again takes the place of the old one", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 8);
  cache.set("a", "B", 3);
  expect(cache.get("a")).toBe("B");
  expect(cache.bytes).toBe(3);
});

test("a value larger than the bound is not kept", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 11);
  expect(cache.get("a")).toBeUndefined();
  expect(cache.bytes).toBe(0);
});
