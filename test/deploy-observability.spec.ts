import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { MEASURES, type MeasureName, prometheusNames } from "../core/service/metrics.js";

const KNOWN = new Set((Object.keys(MEASURES) as MeasureName[]).flatMap(prometheusNames));
const read = (...path: string[]) => readFile(join(import.meta.dirname, "..", ...path), "utf8");

interface Rules {
  readonly groups: { readonly rules: { readonly alert: string; readonly expr: string }[] }[];
}
interface Dashboard {
  readonly panels: {
    readonly title: string;
    readonly description: string;
    readonly targets: { readonly expr: string }[];
  }[];
}

const alerts = async () =>
  (parse(await read("deploy/observability/alerts.yaml")) as Rules).groups.flatMap(({ rules }) => rules);
const panels = async () => (JSON.parse(await read("deploy/observability/dashboard.json")) as Dashboard).panels;

/** Names of the measures in an expression, as PromQL's own grammar finds them. @throws where it is no PromQL */
function measuresIn(expression: string): string[] {
  const found: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ name, type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${expression}`);
      if (name === "VectorSelector") found.push(/^\w+/.exec(expression.slice(from, to))![0]);
    },
  });
  return found;
}

test("the grammar refuses what is no PromQL, and finds the measures in what is", () => {
  expect(() => measuresIn("sum(rate(a[1m])")).toThrow("not PromQL");
  expect(measuresIn('sum by (le) (rate(a_total{kind="x"}[1m])) / b > 0')).toEqual(["a_total", "b"]);
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
  const guide = await read("docs/operations.md");
  const sections = [...guide.matchAll(/^### (Spin\w+)$/gm)].map(([, name]) => name!);
  expect(new Set(sections)).toEqual(new Set((await alerts()).map(({ alert }) => alert)));
});
