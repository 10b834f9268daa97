import type { Dataset } from "../core/data/dataset.js";
import { openPrompts, promptSet } from "./prompts.js";

const ref = (name: string, split = "", digest = "") => ({ name, split, digest });

test("prompts are the captions of the set's test part unless the request says otherwise", async () => {
  const all = await openPrompts(ref("emoji"), 0);
  expect(all.prompts).toHaveLength(166);
  expect(all.ref).toMatchObject({ name: "emoji", split: "test" });
  expect((await openPrompts(ref("emoji", "validation"), 0)).prompts).toHaveLength(100);
  const named = await openPrompts(ref("emoji/validation/winners", "", ""), 7);
  expect(named.prompts).toHaveLength(7);
  expect(named.ref.split).toBe("validation");
  expect(await named.winner!(6)).toMatchObject({ width: 64, height: 64 });
});

test("a digest is filled in, and one that does not match is refused", async () => {
  const { ref: filled } = await openPrompts(ref("emoji"), 0);
  expect(filled.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  await expect(openPrompts(filled, 0)).resolves.toMatchObject({ ref: filled });
  await expect(openPrompts(ref("emoji", "", `sha256:${"0".repeat(64)}`), 0)).rejects.toMatchObject({
    kind: "precondition",
    details: { field: "spec.prompts.digest" },
  });
});

test("unknown sets and parts are refused by name", async () => {
  await expect(openPrompts(ref("emojis"), 0)).rejects.toMatchObject({ kind: "notFound" });
  await expect(openPrompts(ref("emoji", "tset"), 0)).rejects.toMatchObject({
    kind: "invalid",
    details: { field: "spec.prompts.split" },
  });
});

test("an empty set, and too few prompts, are refused", async () => {
  const empty = { name: "none", digest: "", size: 0, split: "test", flippable: true } as Dataset;
  expect(() => promptSet(empty, ref("none"), 0)).toThrow(
    expect.objectContaining({
      kind: "invalid",
      message: expect.stringContaining('"none" is empty'),
      details: expect.objectContaining({ field: "spec.prompts" }),
    }),
  );
  await expect(openPrompts(ref("emoji"), 3)).rejects.toMatchObject({ details: { field: "spec.max_prompts" } });
});
