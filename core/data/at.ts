import { SpinError } from "../errors.js";

/** The item of a data set at an index. @throws SpinError `invalid` naming the set and its indices */
export function at<T>(items: readonly T[], index: number, name: string): T {
  const item = items[index];
  if (item !== undefined) return item;
  const range = items.length === 0 ? "no indices" : `the indices 0 to ${items.length - 1}`;
  throw new SpinError("invalid", `${name} has ${range}, not ${index}`, { field: "index" });
}
