import { inspect, isDeepStrictEqual } from "node:util";
import type { CaseTensor, ReferenceCase, TensorData, ValueExpectation } from "./cases.js";

/** What a handler computed: tensors by their whole name (`out.x`), values by theirs. */
export interface CaseResult {
  readonly tensors?: Readonly<Record<string, CaseTensor>>;
  readonly values?: Readonly<Record<string, unknown>>;
  /** Refusals that a handler has verified itself (kind `malformed`), each with what went wrong or undefined. */
  readonly checks?: Readonly<Record<string, string | undefined>>;
}

/** @returns everything in which `result` differs from what the case expects; a case that expects nothing is a fault too. */
export async function judge(reference: ReferenceCase, result: CaseResult): Promise<string[]> {
  const tensorFaults = await judgeTensors(reference, result.tensors ?? {});
  const valueFaults = Object.entries(reference.values ?? {}).flatMap(([name, expectation]) =>
    Object.hasOwn(result.values ?? {}, name)
      ? compareValue(name, result.values?.[name], expectation, reference.values?.loss)
      : [`value ${name}: not computed`],
  );
  const checks = Object.entries(result.checks ?? {});
  const checkFaults = checks.flatMap(([name, fault]) => (fault === undefined ? [] : [`${name}: ${fault}`]));
  const judged = Object.keys(reference.expected).length + Object.keys(reference.values ?? {}).length + checks.length;
  return judged === 0 ? ["nothing was compared"] : [...tensorFaults, ...valueFaults, ...checkFaults];
}

async function judgeTensors(reference: ReferenceCase, got: Readonly<Record<string, CaseTensor>>): Promise<string[]> {
  const faults: string[] = [];
  const groups = new Map<string, { elements: number; off: number }>();
  for (const [name, expectation] of Object.entries(reference.expected)) {
    const expected = await reference.tensor(name);
    const result = Object.hasOwn(got, name) ? got[name] : undefined;
    if (result === undefined) {
      faults.push(`${name}: not computed`);
    } else if (!isDeepStrictEqual([...result.shape], [...expected.shape])) {
      faults.push(`${name}: shape [${result.shape}], expected [${expected.shape}]`);
    } else if (result.data.length !== expected.data.length) {
      faults.push(`${name}: ${result.data.length} elements in shape [${result.shape}]`);
    } else if (expectation.group === undefined) {
      const { rtol, atol } = tolerances(expectation);
      const { off, worst } = compare(result.data, expected.data, rtol, atol);
      if (off > 0) faults.push(`${name} [${expected.shape}]: ${off} of ${expected.data.length} off, worst: ${worst}`);
    } else {
      const tolerance = reference.groups?.[expectation.group];
      if (tolerance?.measure !== "outliers")
        throw new Error(`${name}: no measure known for group ${expectation.group}`);
      const sum = groups.get(expectation.group) ?? { elements: 0, off: 0 };
      sum.elements += expected.data.length;
      sum.off += compare(result.data, expected.data, 0, tolerance.atol).off;
      groups.set(expectation.group, sum);
    }
  }
  for (const [name, { elements, off }] of groups) {
    const { atol, outliers } = reference.groups![name]!;
    if (off > outliers * elements) {
      faults.push(`group ${name}: ${off} of ${elements} elements off by more than ${atol}, allowed share ${outliers}`);
    }
  }
  return faults;
}

function tolerances(expectation: { rtol?: number; atol?: number; exact?: boolean }): { rtol: number; atol: number } {
  if (expectation.exact === true) return { rtol: 0, atol: 0 };
  if (expectation.rtol === undefined || expectation.atol === undefined)
    throw new Error("an expectation has no tolerance");
  return { rtol: expectation.rtol, atol: expectation.atol };
}

/** Counts the elements outside |got - expected| ≤ atol + rtol · |expected|, NaN among them, and describes the worst. */
function compare(got: TensorData, expected: TensorData, rtol: number, atol: number): { off: number; worst: string } {
  let off = 0;
  let worst = "";
  let worstExcess = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(Number(got[i]) - Number(expected[i]));
    const allowed = atol + rtol * Math.abs(Number(expected[i]));
    if (difference <= allowed) continue;
    off++;
    const excess = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference - allowed;
    if (excess > worstExcess) {
      worstExcess = excess;
      worst = `[${i}] is ${got[i]}, expected ${expected[i]} ± ${allowed}`;
    }
  }
  return { off, worst };
}

/**
 * Compares numbers within the tolerances, whatever lists or tables hold them; all else, and `exact`, strictly. But fractions marked
 * exact beside a loss are copies of losses in float64, which nothing in float32 gives to the bit: they have the loss's tolerances.
 */
function compareValue(name: string, got: unknown, expectation: ValueExpectation, loss?: ValueExpectation): string[] {
  const { expected } = expectation;
  const isCopy = expectation.exact === true && loss !== undefined && isFraction(expected);
  const { rtol, atol } = tolerances(isCopy ? loss : expectation);
  if (typeof expected === "number" && typeof got === "number") {
    const allowed = atol + rtol * Math.abs(expected);
    return Math.abs(got - expected) <= allowed ? [] : [`value ${name}: ${got}, expected ${expected} ± ${allowed}`];
  }
  if (!isTable(expected) || !isTable(got) || Array.isArray(expected) !== Array.isArray(got)) {
    return isDeepStrictEqual(got, expected) ? [] : [`value ${name}: ${inspect(got)}, expected ${inspect(expected)}`];
  }
  const entries = new Map<string, unknown>(Object.entries(got));
  const wanted = Object.entries(expected);
  if (entries.size !== wanted.length) return [`value ${name}: ${entries.size} entries, expected ${wanted.length}`];
  return wanted.flatMap(([key, value]) =>
    compareValue(`${name}.${key}`, entries.get(key), { ...expectation, expected: value }, loss),
  );
}

function isFraction(value: unknown): boolean {
  return typeof value === "number" && !Number.isInteger(value);
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
