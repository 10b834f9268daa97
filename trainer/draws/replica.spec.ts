import { SpinError } from "../../core/errors.js";
import { RpcChannel } from "../../core/service/client.js";
import { Replica } from "./replica.js";

const channel = new RpcChannel("127.0.0.1:1");
afterAll(() => channel.close());

const lost = new SpinError("unavailable", "127.0.0.1:1: connection lost");
const unknown = new SpinError("notFound", "no model folder here has the digest");
const busy = new SpinError("exhausted", "at work", { retryAfterSeconds: 2 });

test("a replica that fails is of no use until it delivers, and is asked ever more rarely, up to ten seconds", () => {
  const replica = new Replica(channel);
  expect(replica.isUseful).toBe(true);
  const waits = Array.from({ length: 8 }, () => replica.fail(lost));
  expect(waits.map((one) => one !== "setAside" && one.waitMs)).toEqual([
    500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000,
  ]);
  expect(replica.isUseful).toBe(false);
  replica.succeed();
  expect(replica.isUseful).toBe(true);
  expect(replica.fail(lost)).toEqual({ waitMs: 500, isBusy: false });
});

test("a refusal that seems to last counts once it is repeated, with a success between it does not", () => {
  const replica = new Replica(channel);
  expect(replica.fail(unknown)).toEqual({ waitMs: 500, isBusy: false });
  replica.succeed();
  expect(replica.fail(unknown)).toEqual({ waitMs: 500, isBusy: false });
  expect(replica.fail(unknown)).toBe("setAside");
});

test("a replica that is busy is of use, and is asked when it says", () => {
  const replica = new Replica(channel);
  for (let i = 0; i < 3; i++) expect(replica.fail(busy)).toEqual({ waitMs: 2000, isBusy: true });
  expect(replica.isUseful).toBe(true);
  expect(replica.fail(lost)).toEqual({ waitMs: 500, isBusy: false }); // Having been busy is not held against it.
});

test("its reason names it once", () => {
  const replica = new Replica(channel);
  expect(replica.reason).toBe("127.0.0.1:1: no answer");
  replica.fail(lost);
  expect(replica.reason).toBe("127.0.0.1:1: connection lost");
  replica.setAside(unknown);
  expect(replica.reason).toBe("127.0.0.1:1: no model folder here has the digest");
  expect(replica.isUseful).toBe(false);
});
