import { checkpoint, jobName, nameOf, resourceName, serviceAddress } from "./references.js";

test("a checkpoint is a digest or a model's name", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  expect(checkpoint(digest)).toEqual({ digest, modelName: "" });
  expect(checkpoint("demo/base")).toEqual({ digest: "", modelName: "demo/base" });
  for (const wrong of ["", "sha256:abc", "../base", "/etc", "a b"]) expect(() => checkpoint(wrong)).toThrow("Expected");
});

test("addresses and names are checked before anything is asked", () => {
  expect(serviceAddress("[::1]:50052")).toBe("[::1]:50052");
  expect(() => serviceAddress("trainer")).toThrow("Expected an address");
  expect(() => resourceName("emoji//winners")).toThrow("Expected a name");
  expect(() => jobName("x".repeat(57))).toThrow("Expected 1 to 56");
});

test("the same settings have the same name, others another", () => {
  const settings = { seed: 1n, base: checkpoint("base"), beta: 5000 };
  expect(nameOf("run", settings)).toMatch(/^run-[0-9a-f]{12}$/);
  expect(nameOf("run", { ...settings })).toBe(nameOf("run", settings));
  expect(nameOf("run", { ...settings, seed: 2n })).not.toBe(nameOf("run", settings));
  expect(nameOf("run", { ...settings, lambda: undefined })).toBe(nameOf("run", settings));
});
