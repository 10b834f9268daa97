import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { freeBytes } from "../free-disk.js";
import { DiskRoom } from "./disk-room.js";

const folder = useTemporaryFolder();
/** More MiB than any disk has. */
const TOO_MUCH = 1_000_000_000;

test("a folder that is not there yet is on the disk that it would be made on", async () => {
  const [here, below] = [await freeBytes(folder()), await freeBytes(join(folder(), "runs/trainer"))];
  expect(here).toBeGreaterThan(0);
  expect(Math.abs(here - below) / here).toBeLessThan(0.1); // Others write meanwhile.
});

test("work is refused where less is free than is to stay free, with the folder, both numbers and a remedy", async () => {
  await mkdir(join(folder(), "runs"));
  const room = new DiskRoom("RUNS_DIR", join(folder(), "runs"), TOO_MUCH);
  const needed = TOO_MUCH * 2 ** 20;
  await expect(room.require()).rejects.toMatchObject({
    kind: "exhausted",
    message: expect.stringMatching(
      new RegExp(`^RUNS_DIR \\(${folder()}/runs\\) has \\d+ bytes free, ${needed} are needed.*MIN_FREE_DISK_MB$`),
    ),
    details: { file: join(folder(), "runs") },
  });
});

test("what is to be written counts too, and 0 asks for nothing", async () => {
  const room = new DiskRoom("CACHE_DIR", folder(), 1);
  expect(await room.fullness(0)).toBeUndefined();
  expect((await room.fullness(1e15))?.message).toContain(`${1e15 + 2 ** 20} are needed: ${1e15} to write and 1048576`);
  expect(await new DiskRoom("CACHE_DIR", folder(), 0).fullness(1e15)).toBeUndefined();
});
