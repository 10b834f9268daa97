import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";

/** Values of a tensor as the cases store them: float32, or integers for ids, steps and pixels. */
export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** A tensor given to a handler or returned by one. */
export interface CaseTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** How one expected tensor is judged: element by element, exactly, or together with the others of its group. */
export interface TensorExpectation {
  readonly rtol?: number;
  readonly atol?: number;
  readonly exact?: boolean;
  readonly group?: string;
}

/** An expected number, list or table, with its tolerances. */
export interface ValueExpectation {
  readonly expected: unknown;
  readonly rtol?: number;
  readonly atol?: number;
  readonly exact?: boolean;
}

/** Of all elements of a group's tensors, at most the share `outliers` may be off by more than `atol`. */
export interface GroupTolerance {
  readonly measure: string;
  readonly atol: number;
  readonly outliers: number;
}

interface CaseFile {
  readonly kind: string;
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly models?: Readonly<Record<string, string>>;
  readonly inputs: readonly string[];
  readonly expected: Readonly<Record<string, TensorExpectation>>;
  readonly values?: Readonly<Record<string, ValueExpectation>>;
  readonly groups?: Readonly<Record<string, GroupTolerance>>;
}

/** One golden case, as its handler sees it. */
export interface ReferenceCase extends CaseFile {
  /** Absolute path of the case's folder. */
  readonly folder: string;
  /** @returns the absolute path of the model in this role, as `model("unet")` */
  model(role: string): string;
  /** @returns a tensor of the case by its whole name, as `tensor("in.sample")` */
  tensor(name: string): Promise<CaseTensor>;
  /** @returns a floating-point tensor's values, as `floats("in.sample")` */
  floats(name: string): Promise<Float32Array>;
}

/** The folder of cases: `$REFERENCE_CASES`, else the copy in this project. */
export const CASES_FOLDER = resolve(
  process.env.REFERENCE_CASES ?? join(dirname(fileURLToPath(import.meta.url)), "cases"),
);

/** @returns `kind/name` of every case in `CASES_FOLDER`, sorted; empty when the folder is missing. */
export function listCases(): string[] {
  const folders = (path: string): string[] =>
    existsSync(path)
      ? readdirSync(path, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => entry.name)
          .sort()
      : [];
  return folders(CASES_FOLDER)
    .flatMap((kind) => folders(join(CASES_FOLDER, kind)).map((name) => `${kind}/${name}`))
    .filter((id) => existsSync(join(CASES_FOLDER, id, "case.json")));
}

/** Loads a case by its `kind/name`; tensors are read when asked for. */
export function loadCase(id: string): ReferenceCase {
  const folder = join(CASES_FOLDER, id);
  const file: CaseFile = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
  const tensor = async (name: string): Promise<CaseTensor> => {
    const tensors = await openSafetensors(join(folder, "tensors.safetensors"));
    const bytes = (await tensors.read(name)).buffer;
    const { dtype, shape } = tensors.tensors.get(name)!;
    if (dtype === "F32") return { shape, data: new Float32Array(bytes) };
    if (dtype === "I32") return { shape, data: new Int32Array(bytes) };
    if (dtype === "I64") return { shape, data: new BigInt64Array(bytes) };
    if (dtype === "U8") return { shape, data: new Uint8Array(bytes) };
    throw new Error(`${id}: tensor ${name} has the dtype ${dtype}, which no case had so far`);
  };
  return {
    ...file,
    folder,
    tensor,
    model(role) {
      const path = file.models?.[role];
      if (path === undefined) throw new Error(`${id}: no model in the role ${role}`);
      return resolve(folder, path);
    },
    async floats(name) {
      const { data } = await tensor(name);
      if (data instanceof Float32Array) return data;
      throw new Error(`${id}: tensor ${name} does not hold float32`);
    },
  };
}
