import { SpinError } from "../errors.js";
import { SPLITS } from "./dataset.js";
import { openDataset, openPreferences } from "./open-dataset.js";

const thrown = async (promise: Promise<unknown>): Promise<SpinError> => {
  const error: unknown = await promise.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(SpinError);
  return error as SpinError;
};

describe("openDataset", () => {
  it("opens each part of the built-in emoji in each variant", async () => {
    const sizes: number[] = [];
    const digests = new Set<string>();
    for (const split of SPLITS) {
      for (const variant of ["winners", "other", "mixed"]) {
        const dataset = await openDataset(`emoji/${split}/${variant}`);
        expect([dataset.name, dataset.split, dataset.flippable]).toEqual([`emoji/${split}/${variant}`, split, false]);
        expect(dataset.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
        sizes.push(dataset.size);
        digests.add(dataset.digest);
      }
    }
    expect(sizes).toEqual([1275, 1275, 2550, 100, 100, 200, 166, 166, 332]);
    expect(digests.size).toBe(9);
  });

  it("takes the split from the name or beside it, and means the winners without a variant", async () => {
    const { name, digest } = await openDataset("emoji/test/winners");
    for (const same of [
      openDataset("emoji/test"),
      openDataset("emoji", "test"),
      openDataset("emoji/winners", "test"),
    ]) {
      expect(await same).toMatchObject({ name, digest });
    }
  });

  it("gives the same digest and the same pictures each time", async () => {
    const [first, second] = [await openDataset("emoji/validation"), await openDataset("emoji/validation")];
    expect(first.digest).toBe(second.digest);
    expect((await first.item(17).image()).data).toEqual((await second.item(17).image()).data);
  });

  it("mixes the styles picture by picture", async () => {
    const [mixed, winners, other] = await Promise.all(
      ["mixed", "winners", "other"].map((variant) => openDataset(`emoji/validation/${variant}`)),
    );
    for (const index of [0, 42, 99]) {
      const [even, odd] = [mixed!.item(2 * index), mixed!.item(2 * index + 1)];
      expect(odd.caption).toBe(even.caption);
      expect(winners!.item(index).caption).toBe(even.caption);
      expect((await even.image()).data).toEqual((await winners!.item(index).image()).data);
      expect((await odd.image()).data).toEqual((await other!.item(index).image()).data);
    }
  });

  it("refuses an index outside", async () => {
    const dataset = await openDataset("emoji/validation");
    for (const index of [-1, 100, 0.5]) expect(() => dataset.item(index)).toThrow(`indices 0 to 99, not ${index}`);
  });

  it("names the sets there are when asked for another", async () => {
    for (const name of ["pickapic/train", "emoji/train/best", "emoji/train/mixed/more", "emoji/dev", ""]) {
      const error = await thrown(openDataset(name, "train"));
      expect(error.kind).toBe("notFound");
      expect(error.message).toContain(`"${name}"; built in are emoji/{train,validation,test}/{winners,other,mixed}`);
    }
  });

  it("refuses no split, and two that differ", async () => {
    expect(await thrown(openDataset("emoji/mixed"))).toMatchObject({ kind: "invalid", details: { field: "split" } });
    expect((await thrown(openDataset("emoji/test", "train"))).message).toContain('"emoji/test" is not its train part');
  });
});

describe("openPreferences", () => {
  it("pairs the winner's picture with the other of the same caption", async () => {
    const pairs = await openPreferences("emoji/validation");
    const [winners, other] = [
      await openDataset("emoji/validation/winners"),
      await openDataset("emoji/validation/other"),
    ];
    expect([pairs.name, pairs.size, pairs.split]).toEqual(["emoji/validation", 100, "validation"]);
    for (const index of [0, 50, 99]) {
      const pair = pairs.pair(index);
      expect(pair.caption).toBe(winners.item(index).caption);
      expect((await pair.winner()).data).toEqual((await winners.item(index).image()).data);
      expect((await pair.loser()).data).toEqual((await other.item(index).image()).data);
    }
    expect(() => pairs.pair(100)).toThrow("indices 0 to 99, not 100");
  });

  it("refuses a variant", async () => {
    expect((await thrown(openPreferences("emoji/train/mixed"))).kind).toBe("notFound");
  });
});
