import { CASES_FOLDER, listCases, loadCase } from "./cases.js";
import { HANDLERS, isPending } from "./handlers.js";
import { judge } from "./judge.js";

const cases = listCases();

test("there are golden cases to run", () => {
  expect(`${cases.length} cases in ${CASES_FOLDER}`).not.toMatch(/^0 cases/);
});

describe("golden cases", () => {
  for (const id of cases) {
    if (isPending(id)) {
      test.skip(`${id} (later work)`, () => undefined);
      continue;
    }
    test(`${id} gives the reference's values`, async () => {
      const reference = loadCase(id);
      const handler = HANDLERS.get(reference.kind);
      if (handler === undefined) throw new Error(`no handler for the kind ${reference.kind}`);
      const { run } = await handler();
      expect(await judge(reference, await run(reference))).toEqual([]);
    });
  }
});
