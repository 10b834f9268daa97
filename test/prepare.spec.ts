import { spawnSync } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "./support/temporary-folder.js";

/** `bin/prepare.mjs` in a project whose tools are stand-ins that note that they ran and write what they would. */

const folder = useTemporaryFolder();
const at = (path: string) => join(folder(), path);

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(at(path)), { recursive: true });
  await writeFile(at(path), content);
}

const lockOf = (version: string) => JSON.stringify({ packages: { "": {}, "node_modules/a": { version } } });
/** A tool that adds its name to the log and writes a file. */
const tool = (name: string, output: string, content = "'made'") => `
  import("node:fs").then(({ appendFileSync, mkdirSync, writeFileSync }) => {
    appendFileSync("log", "${name}\\n");
    mkdirSync("${dirname(output)}", { recursive: true });
    writeFileSync("${output}", ${content});
  });`;

beforeEach(async () => {
  await mkdir(at("bin"));
  await cp(fileURLToPath(new URL("../bin/prepare.mjs", import.meta.url)), at("bin/prepare.mjs"));
  await write("package-lock.json", lockOf("1"));
  await write("node_modules/.package-lock.json", lockOf("1"));
  await write("tsconfig.json", JSON.stringify({ include: ["core", "cli", "proto/gen"] }));
  await write("buf.gen.yaml", "");
  await write("proto/a.proto", "");
  await write("core/a.ts", "");
  await write("core/nn/adamw.wasm.ts", "");
  await write("npm-cli.js", tool("npm", "node_modules/.package-lock.json", `${JSON.stringify(lockOf("2"))}`));
  const generated = "proto/gen/spin/v1/trainer_service.ts";
  await write("node_modules/@bufbuild/buf/bin/buf", tool("buf", generated, "String(process.hrtime.bigint())"));
  await write("bin/build-wasm.mjs", tool("wasm", "core/nn/adamw-binary.ts"));
  await write("node_modules/typescript/bin/tsc", tool("tsc", "dist/cli/main.js"));
});

/** Prepares, and tells which tools ran. */
async function prepare() {
  await rm(at("log"), { force: true });
  const env = { ...process.env, npm_execpath: at("npm-cli.js") };
  const { status, stderr } = spawnSync(process.execPath, [at("bin/prepare.mjs")], { env, encoding: "utf8" });
  const log = await readFile(at("log"), "utf8").catch(() => "");
  return { status, stderr, ran: log.split("\n").filter((name) => name !== "") };
}

test("a fresh clone gets everything, and is left alone afterwards", async () => {
  await rm(at("node_modules/.package-lock.json"));
  const first = await prepare();
  expect(first).toMatchObject({ status: 0, ran: ["npm", "buf", "wasm", "tsc"] });
  expect(first.stderr).toMatch(/prepare: compiling \(tsc\) …\nprepare: done in \d+\.\d s\n$/);
  expect(await prepare()).toEqual({ status: 0, stderr: "", ran: [] });
});

test("packages that npm has installed as locked are not installed again", async () => {
  expect((await prepare()).ran).toEqual(["buf", "wasm", "tsc"]);
});

test.each([
  ["core/a.ts", ["tsc"]],
  ["core/new.ts", ["tsc"]],
  ["core/a.spec.ts", []],
  ["proto/a.proto", ["buf", "tsc"]],
  ["core/nn/adamw.wasm.ts", ["wasm"]],
  ["tsconfig.json", ["tsc"]],
])("a change of %s brings %j about", async (file, tools) => {
  await prepare();
  const before = await readFile(at(file), "utf8").catch(() => "");
  await write(file, `${before}\n`);
  expect((await prepare()).ran).toEqual(tools);
});

test("other packages bring everything about", async () => {
  await prepare();
  await write("package-lock.json", lockOf("2"));
  expect((await prepare()).ran).toEqual(["npm", "buf", "wasm", "tsc"]);
});

test("a result that is gone is made again", async () => {
  await prepare();
  await rm(at("dist"), { recursive: true });
  expect((await prepare()).ran).toEqual(["tsc"]);
});

test("a step that fails stops the rest, is told of, and is taken again", async () => {
  const compiler = await readFile(at("node_modules/typescript/bin/tsc"), "utf8");
  await write("node_modules/typescript/bin/tsc", `${compiler} process.exitCode = 2;`);
  const failed = await prepare();
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain("prepare: compiling (tsc) failed\n");
  expect((await prepare()).ran).toEqual(["tsc"]);
});
