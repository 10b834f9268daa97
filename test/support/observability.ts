import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";

/** Reads a file of the project. */
export const readProject = (...path: string[]): Promise<string> =>
  readFile(join(import.meta.dirname, "../..", ...path), "utf8");

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

export const alerts = async (): Promise<Rules["groups"][number]["rules"]> =>
  (parse(await readProject("deploy/observability/alerts.yaml")) as Rules).groups.flatMap(({ rules }) => rules);

export const panels = async (): Promise<Dashboard["panels"]> =>
  (JSON.parse(await readProject("deploy/observability/dashboard.json")) as Dashboard).panels;
