import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { spansOf } from "../../test/support/spans.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { readSpans } from "./read-spans.js";
import { currentTraceparent, linksTo, recordSpan, withSpan } from "./tracing.js";

const folder = useTemporaryFolder();
afterEach(() => {
  for (const api of [trace, context, metrics, propagation]) api.disable();
});

test("what telemetry writes is read back: names, times to fractions of a millisecond, parents, links, attributes", async () => {
  const file = join(folder(), "trace.jsonl");
  await spansOf(file, () =>
    withSpan("outer", { attributes: { "spin.step": 3, "spin.share": 0.25, "spin.run": "a" } }, async () => {
      const links = linksTo(currentTraceparent());
      recordSpan("inner", 1_700_000_000_000.25, 1_700_000_000_001.75, { links });
    }),
  );
  const spans = await readSpans(file);
  const [outer, inner] = ["outer", "inner"].map((name) => spans.find((span) => span.name === name)!);
  expect(outer).toMatchObject({ parent: "", attributes: { "spin.step": 3, "spin.share": 0.25, "spin.run": "a" } });
  expect(inner).toMatchObject({ parent: outer!.id, links: [outer!.id] });
  expect(inner!.end - inner!.start).toBeCloseTo(1.5, 2);
  expect(inner!.start).toBeCloseTo(1_700_000_000_000.25, 2);
});

test("a file that is not a trace is named, with the line", async () => {
  const file = join(folder(), "trace.jsonl");
  await expect(readSpans(file)).rejects.toMatchObject({ kind: "notFound" });
  await appendFile(file, '{"resourceSpans":[]}\n{"resourceSpans":3}\n');
  await expect(readSpans(file)).rejects.toMatchObject({
    kind: "corrupt",
    message: expect.stringContaining("line 2"),
  });
});
