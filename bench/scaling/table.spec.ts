import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { allTables } from "./table.js";

test("docs/scaling.md has the simulation's tables as they come out now", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/scaling.md"), "utf8");
  expect(page).toContain(allTables());
});
