import { parser } from "@prometheus-io/lezer-promql";

/** A measure that an expression reads, with the labels that it must have. */
export interface Selector {
  readonly name: string;
  /** As `kind="draws"` gives `["kind", "draws"]`. */
  readonly labels: readonly (readonly [name: string, value: string])[];
}

/** The measures in an expression, as PromQL's own grammar finds them. @throws where it is no PromQL */
export function selectorsIn(expression: string): Selector[] {
  const found: { name: string; labels: [string, string][] }[] = [];
  parser.parse(expression).iterate({
    enter: ({ name, type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${expression}`);
      const text = expression.slice(from, to);
      if (name === "VectorSelector") found.push({ name: /^\w+/.exec(text)![0], labels: [] });
      const label = name === "UnquotedLabelMatcher" && /^(\w+)="(.*)"$/.exec(text);
      if (label) found.at(-1)!.labels.push([label[1]!, label[2]!]);
    },
  });
  return found;
}
