import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { lockFolder } from "./folder-lock.js";

const folder = useTemporaryFolder();
const file = () => join(folder(), ".lock.json");
const QUICK = { heartbeatMs: 20, silenceMs: 300 };
const leave = (holder: object) =>
  writeFile(file(), JSON.stringify({ pid: 1, host: hostname(), started: "1", since: "2026-01-01", ...holder }));

test("a second holder is refused with the first one's identity, until that lets go", async () => {
  const first = await lockFolder(folder(), QUICK);
  await expect(lockFolder(folder(), QUICK)).rejects.toMatchObject({
    kind: "precondition",
    message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
  });
  await first.release();
  expect(await readdir(folder())).toEqual([]);
  await (await lockFolder(folder(), QUICK)).release();
});

test("a dead process's lock is taken over, and so is one whose number another process has now", async () => {
  await leave({ pid: spawnSync(process.execPath, ["--version"]).pid });
  await (await lockFolder(folder(), QUICK)).release();
  await leave({ pid: process.ppid, started: "1" });
  await (await lockFolder(folder(), QUICK)).release();
});

test("a living process's lock stays", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
  await leave({ pid: child.pid, started: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] });
  await expect(lockFolder(folder(), QUICK)).rejects.toMatchObject({ kind: "precondition" });
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await lockFolder(folder(), QUICK)).release();
});

test("another machine's lock stays while it beats, whatever its clock says, and is taken over once it is silent", async () => {
  await leave({ host: "elsewhere" });
  let beats = 0;
  const beating = setInterval(() => void utimes(file(), 1, 1 + ++beats), 30);
  await expect(lockFolder(folder(), QUICK)).rejects.toMatchObject({
    kind: "precondition",
    message: expect.stringContaining("process 1 on elsewhere"),
  });
  clearInterval(beating);
  await (await lockFolder(folder(), QUICK)).release();
});

test("of many that find a stale lock at once, one gets the folder", async () => {
  await leave({ pid: spawnSync(process.execPath, ["--version"]).pid });
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder(), QUICK)));
  const locks = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  expect(locks).toHaveLength(1);
  await locks[0]!.release();
});
