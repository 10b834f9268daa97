import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { checkContained, containedPath } from "./contained-path.js";

const folder = useTemporaryFolder();

describe("checkContained", () => {
  it.each(["a", "a/b.c", ".hidden", "a/..b", "ünï/ß é.png", "x".repeat(255)])("takes %p", (path) => {
    expect(() => checkContained(path)).not.toThrow();
  });

  it.each([
    ["", "is empty"],
    ["/etc/passwd", "is absolute"],
    ["C:\\windows", "has a backslash"],
    ["C:windows", "is absolute"],
    ["../a", "has a segment that is empty, . or .."],
    ["a/../../b", "has a segment that is empty, . or .."],
    ["a//b", "has a segment that is empty, . or .."],
    ["a/", "has a segment that is empty, . or .."],
    ["./a", "has a segment that is empty, . or .."],
    ["a\\..\\b", "has a backslash"],
    ["a\u0000.png", "has a control character"],
    ["a\n", "has a control character"],
    ["x".repeat(256), "has a segment of more than 255 bytes"],
    ["x/".repeat(600), "has more than 1024 bytes"],
  ])("refuses %p", (path, problem) => {
    expect(() => checkContained(path, { field: "spec.name" })).toThrow(
      expect.objectContaining({
        kind: "invalid",
        message: expect.stringContaining(problem),
        details: expect.objectContaining({ field: "spec.name" }),
      }),
    );
  });

  it("does not repeat a long path", () => {
    expect(() => checkContained("x".repeat(1_000_000))).toThrow(/^.{0,250}$/);
  });
});

describe("containedPath", () => {
  /** `root` with a file, links that stay inside and links that lead out, and a secret beside it. */
  async function tree(): Promise<string> {
    const root = join(folder(), "root");
    await mkdir(join(root, "models/a"), { recursive: true });
    await mkdir(join(folder(), "root-2"));
    await writeFile(join(root, "models/a/config.json"), "{}");
    await writeFile(join(folder(), "secret"), "");
    await symlink("models/a", join(root, "inside"));
    await symlink("..", join(root, "up"));
    await symlink(join(folder(), "secret"), join(root, "models/a/weights"));
    await symlink("../root-2", join(root, "sibling"));
    await symlink(join(folder(), "not-there-yet"), join(root, "dangling"));
    await symlink("loop", join(root, "loop"));
    return root;
  }

  it("gives the real path of what exists, by whatever links inside the folder", async () => {
    const root = await tree();
    await expect(containedPath(root, "inside/config.json")).resolves.toBe(join(root, "models/a/config.json"));
    await symlink(root, join(folder(), "door"));
    await expect(containedPath(join(folder(), "door"), "models")).resolves.toBe(join(root, "models"));
  });

  it("places what does not exist yet, and makes nothing", async () => {
    const root = await tree();
    await expect(containedPath(root, "inside/new/file")).resolves.toBe(join(root, "models/a/new/file"));
    await expect(readdir(join(root, "models/a"))).resolves.toEqual(["config.json", "weights"]);
  });

  it.each(["up/secret", "models/a/weights", "sibling", "sibling/file", "dangling", "dangling/file"])(
    "refuses %p, which leads out by a link",
    async (path) => {
      const root = await tree();
      await expect(containedPath(root, path, { field: "name" })).rejects.toMatchObject({
        kind: "invalid",
        details: { field: "name" },
        message: expect.stringContaining("symbolic link"),
      });
    },
  );

  it("refuses a link that never ends", async () => {
    await expect(containedPath(await tree(), "loop/x", { field: "name" })).rejects.toMatchObject({ kind: "invalid" });
  });
});
