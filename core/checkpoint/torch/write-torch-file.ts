import { basename } from "node:path";
import { entryBytes, type TensorEntry } from "../write-safetensors.js";
import { pickleTensors } from "./write-pickle.js";
import { writeZip } from "./write-zip.js";

/**
 * Writes a state dict as torch.save does, which torch.load opens with `weights_only`: every tensor has a storage of its own.
 *
 * @param under key that the state dict lies under in an outer dict, as `state_dict`; the file is the state dict itself where absent.
 * @throws SpinError "invalid" for data that does not fit its shape or a file beyond 4 GiB, "exhausted" for a full disk
 */
export async function writeTorchFile(path: string, entries: readonly TensorEntry[], under?: string): Promise<void> {
  const root = basename(path).replace(/\.[^.]*$/, "");
  const tensors = entries.map(({ name, dtype, shape }, i) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    return { name, dtype, shape, storage: { key: String(i), size } };
  });
  const text = (value: string) => () => new TextEncoder().encode(value);
  await writeZip(path, [
    { name: `${root}/data.pkl`, data: () => pickleTensors(tensors, under) },
    { name: `${root}/byteorder`, data: text("little") },
    ...entries.map((entry, i) => ({ name: `${root}/data/${i}`, data: () => entryBytes(path, entry) })),
    { name: `${root}/version`, data: text("3\n") },
  ]);
}
