import { MEASURES, type MeasureName, prometheusNames } from "../core/service/metrics.js";
import { alerts, panels, readProject } from "./support/observability.js";
import { selectorsIn } from "./support/promql.js";

const KNOWN = new Set((Object.keys(MEASURES) as MeasureName[]).flatMap(prometheusNames));
const measuresIn = (expression: string) => selectorsIn(expression).map(({ name }) => name);

test("the grammar refuses what is no PromQL, and finds the measures in what is", () => {
  expect(() => measuresIn("sum(rate(a[1m])")).toThrow("not PromQL");
  expect(selectorsIn('sum by (le) (rate(a_total{kind="x"}[1m])) / b > 0')).toEqual([
    { name: "a_total", labels: [["kind", "x"]] },
    { name: "b", labels: [] },
  ]);
});

test("every measure that an alert names is one that services emit", async () => {
  for (const { alert, expr } of await alerts()) {
    const measures = measuresIn(expr);
    expect([alert, measures.length]).not.toEqual([alert, 0]);
    for (const name of measures) expect([alert, KNOWN.has(name) ? "known" : name]).toEqual([alert, "known"]);
  }
});

test("every measure that the dashboard shows is one that services emit, and it leaves none out", async () => {
  const shown = new Set<string>();
  for (const { title, description, targets } of await panels()) {
    expect(description).not.toBe("");
    for (const name of targets.flatMap(({ expr }) => measuresIn(expr))) {
      expect([title, KNOWN.has(name) ? "known" : name]).toEqual([title, "known"]);
      shown.add(name);
    }
  }
  for (const name of Object.keys(MEASURES) as MeasureName[]) {
    expect([name, prometheusNames(name).some((one) => shown.has(one))]).toEqual([name, true]);
  }
});

test("every alert has a section in the operations guide, and no section is left of an alert that is gone", async () => {
  const guide = await readProject("docs/operations.md");
  const sections = [...guide.matchAll(/^### (Spin\w+)$/gm)].map(([, name]) => name!);
  expect(new Set(sections)).toEqual(new Set((await alerts()).map(({ alert }) => alert)));
});
