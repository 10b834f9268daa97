import { SpinError } from "../errors.js";
import type { KeyMapping } from "./key-mapping.js";
import { lazyFile, readAllFloat32, type SafetensorsFile } from "./safetensors.js";
import type { TensorInfo } from "./safetensors-header.js";

const FLOAT_DTYPES: readonly string[] = ["F64", "F32", "F16", "BF16"];

/**
 * Sees a file's tensors under the names that the models here know.
 * @throws SpinError "corrupt" when two tensors come to the same name
 */
export function renameTensors(file: SafetensorsFile, mapping: KeyMapping): SafetensorsFile {
  const tensors = new Map<string, TensorInfo>();
  for (const [oldName, info] of file.tensors) {
    const renamed = mapping(oldName, info);
    if (renamed === undefined) continue;
    const [name, tensor] = renamed;
    if (tensors.has(name)) throw mismatch(file, name, `occurs twice, also as ${oldName}`);
    tensors.set(name, tensor);
  }
  return lazyFile(file.path, { tensors, metadata: file.metadata });
}

/**
 * Compares a file with what its configuration says the model is made of; only headers are looked at.
 * @param expected shape of each parameter by name
 * @param source what says so, for messages
 * @throws SpinError "corrupt" naming the file and the first tensor that is missing, unknown, of another shape or not floating point
 */
export function checkTensors(
  file: SafetensorsFile,
  expected: ReadonlyMap<string, readonly number[]>,
  source = "config.json",
): void {
  for (const [name, shape] of expected) {
    const tensor = file.tensors.get(name);
    if (tensor === undefined) throw mismatch(file, name, "is missing");
    if (tensor.shape.join() !== shape.join()) {
      throw mismatch(
        file,
        name,
        `has the shape [${tensor.shape.join(", ")}], ${source} makes it [${shape.join(", ")}]`,
      );
    }
    if (!FLOAT_DTYPES.includes(tensor.dtype)) {
      throw mismatch(file, name, `holds ${tensor.dtype}, expected one of ${FLOAT_DTYPES.join(", ")}`);
    }
  }
  const unknown = [...file.tensors.keys()].filter((name) => !expected.has(name));
  if (unknown.length > 0) {
    throw mismatch(
      file,
      unknown[0]!,
      `is unknown to the model that ${source} describes (${unknown.length} such tensors)`,
    );
  }
}

/**
 * Reads all tensors as float32, in the file's order.
 * @throws SpinError as {@link requireFinite}
 */
export async function readWeights(file: SafetensorsFile): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for await (const [name, values] of readAllFloat32(file)) weights.set(name, requireFinite(file, name, values));
  return weights;
}

/** @returns the values. @throws SpinError "corrupt" naming the file and tensor for a number that is not finite */
export function requireFinite<T extends Float32Array>(file: SafetensorsFile, name: string, values: T): T {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw mismatch(file, name, `holds ${values[at]} at position ${at}, expected finite numbers`);
  return values;
}

function mismatch(file: SafetensorsFile, tensor: string, problem: string): SpinError {
  return new SpinError("corrupt", `${file.path}: tensor ${JSON.stringify(tensor)} ${problem}`, {
    file: file.path,
    tensor,
    remedy: "take weights and config.json from the same model, or download it again",
  });
}
