import { SpinError } from "../../core/errors.js";

/** Embeddings of a set of pictures, row-major, one picture a row. [rows, columns] */
export interface Features {
  readonly data: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Checks that two sets can be compared: as wide as each other, and each with at least `minRows` rows.
 * @throws SpinError `invalid` naming the set.
 */
export function requireComparable(x: Features, y: Features, minRows: number): void {
  for (const [name, set] of [
    ["first", x],
    ["second", y],
  ] as const) {
    if (set.data.length !== set.rows * set.columns) {
      throw new SpinError(
        "invalid",
        `the ${name} feature set holds ${set.data.length} values where [${set.rows}, ${set.columns}] takes ${set.rows * set.columns}`,
      );
    }
    if (set.rows < minRows) {
      throw new SpinError("invalid", `the ${name} feature set has ${set.rows} rows, at least ${minRows} are needed`, {
        remedy: "evaluate more prompts",
      });
    }
  }
  if (x.columns !== y.columns) {
    throw new SpinError("invalid", `feature sets of ${x.columns} and ${y.columns} columns cannot be compared`, {
      remedy: "embed both with the same model",
    });
  }
}

/** Every row brought to unit length; a row of zeros stays zero. [rows, columns] */
export function unitRows(features: Features): Features {
  const { rows, columns } = features;
  const data = new Float64Array(features.data); // a copy, in double precision
  for (let start = 0; start < rows * columns; start += columns) {
    let squared = 0;
    for (let k = start; k < start + columns; k++) squared += data[k]! * data[k]!;
    if (squared === 0) continue;
    const scale = 1 / Math.sqrt(squared);
    for (let k = start; k < start + columns; k++) data[k] = data[k]! * scale;
  }
  return { data, rows, columns };
}
