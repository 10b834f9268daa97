import { ComputeQueue } from "./compute-queue.js";

const { signal } = new AbortController();
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when told to. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), work: () => opened };
}

test("batches run one at a time in the order in which they came", async () => {
  const queue = new ComputeQueue(3);
  const order: string[] = [];
  const [a, b] = [queue.enter(), queue.enter()];
  const first = gate();
  const runs = [
    a.run(signal, async () => {
      await first.work();
      order.push("a1");
    }),
    b.run(signal, async () => void order.push("b1")),
    a.run(signal, async () => void order.push("a2")),
  ];
  await turn();
  expect([queue.active, queue.waiting, order]).toEqual([1, 2, []]);
  first.open();
  await Promise.all(runs);
  expect(order).toEqual(["a1", "b1", "a2"]);
  expect([queue.active, queue.waiting]).toEqual([0, 0]);
});

test("no more streams than the capacity are let in, and the next is told when to come back", () => {
  const queue = new ComputeQueue(2);
  const place = queue.enter();
  queue.enter();
  let error: unknown;
  try {
    queue.enter();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ kind: "exhausted", details: { retryAfterSeconds: expect.any(Number) } });
  place.leave();
  place.leave();
  queue.enter();
  expect(() => queue.enter()).toThrow("full");
});

test("the retry delay follows what batches take", async () => {
  const queue = new ComputeQueue(1);
  const place = queue.enter();
  for (let i = 0; i < 20; i++) await place.run(signal, async () => undefined);
  expect(() => queue.enter()).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ retryAfterSeconds: 1 }) }),
  );
});

test("a waiting batch leaves at once when its caller gives up; the others go on", async () => {
  const queue = new ComputeQueue(3);
  const place = queue.enter();
  const first = gate();
  const running = place.run(signal, first.work);
  const controller = new AbortController();
  let ran = false;
  const given = place.run(controller.signal, async () => {
    ran = true;
  });
  const after = place.run(signal, async () => "done");
  await turn();
  controller.abort();
  await expect(given).rejects.toMatchObject({ kind: "cancelled" });
  expect(queue.waiting).toBe(1);
  first.open();
  await running;
  expect(await after).toBe("done");
  expect(ran).toBe(false);
  await expect(place.run(controller.signal, async () => undefined)).rejects.toMatchObject({ kind: "cancelled" });
});

test("a batch that fails does not hold up the next", async () => {
  const queue = new ComputeQueue(1);
  const place = queue.enter();
  const failing = place.run(signal, () => Promise.reject(new Error("broken")));
  const next = place.run(signal, async () => 1);
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe(1);
});
