import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { goldenCases } from "./golden.js";
import { formatReport } from "./report.js";

const folder = useTemporaryFolder();
const CASES = fileURLToPath(new URL("../../test/reference/cases/", import.meta.url));

test("golden cases that pass and one that does not are told apart, and the report names it", async () => {
  const id = "text-encode/sd15-quick-gelu";
  for (const name of ["right", "wrong"])
    await cp(join(CASES, id), join(folder(), "text-encode", name), { recursive: true });
  const file = join(folder(), "text-encode/wrong/case.json");
  const wrong = JSON.parse(await readFile(file, "utf8")) as { expected: Record<string, unknown> };
  for (const name of Object.keys(wrong.expected)) wrong.expected[name] = { rtol: 0, atol: 0 };
  await writeFile(file, JSON.stringify(wrong));
  const golden = await goldenCases(folder(), "cpu", 1);
  expect(golden.map(({ id, faults }) => [id, faults.length > 0])).toEqual([
    ["text-encode/right", false],
    ["text-encode/wrong", true],
  ]);
  const text = formatReport({ device: "cpu", devices: [], golden, timings: [] });
  expect(text).toContain("1 of 2 pass");
  expect(text).toContain("- text-encode/wrong: ");
});
