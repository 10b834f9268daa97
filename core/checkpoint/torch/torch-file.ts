import { SpinError } from "../../errors.js";
import { lazyFile, readRange, type SafetensorsFile } from "../safetensors.js";
import { checkTensorName, corrupt, DTYPE_BYTES, type TensorInfo } from "../safetensors-header.js";
import { type PickleDict, PickleError, type PickleValue } from "./pickle-values.js";
import { printable, storageBytes, TORCH_ENVIRONMENT, TorchTensor } from "./torch-globals.js";
import { unpickle } from "./unpickle.js";
import { listZipEntries, type ZipEntry } from "./zip-entries.js";

/** The table of tensors of a published model takes some hundred kilobytes. */
const MAX_PICKLE_BYTES = 2 ** 26;
/** Under this key training scripts keep the weights, beside the epoch and the optimiser's state. */
const STATE_DICT = "state_dict";

/**
 * Opens what torch.save wrote (a zip archive, since PyTorch 1.6) as a table of tensors: a state dict, or a dict that has one under
 * `state_dict`. No code runs: the pickle is read by a machine that knows the few names which tensors need. Tensors are found at their
 * places in the file, where the runtime can map them; views and shared storages are honoured.
 *
 * @throws SpinError "notFound" for a missing file; "corrupt" for one that is cut short or inconsistent, or whose pickle names anything but
 * tensors; "invalid" for formats other than the zip archive.
 */
export async function openTorchFile(path: string): Promise<SafetensorsFile> {
  await refuseOtherFormats(path);
  const entries = await listZipEntries(path);
  const root = archiveRoot(entries, path);
  const byteOrder = entries.get(`${root}/byteorder`);
  if (byteOrder !== undefined && new TextDecoder().decode(await readEntry(path, byteOrder, 16)) !== "little") {
    throw corrupt(path, "its numbers are not little-endian");
  }
  const pickle = await readEntry(path, entries.get(`${root}/data.pkl`)!, MAX_PICKLE_BYTES);
  const tensors = new Map<string, TensorInfo>();
  for (const [name, value] of stateDict(readPickle(pickle, path), path)) {
    if (value instanceof TorchTensor) tensors.set(checkedName(name, path), locate(value, entries, root, path, name));
  }
  if (tensors.size === 0) throw corrupt(path, "its table holds no tensors");
  return lazyFile(path, { tensors, metadata: new Map() });
}

/** Tells the formats that are not read from files that are no models at all. */
async function refuseOtherFormats(path: string): Promise<void> {
  const head = await readRange(path, 0, 512, { mayBeShorter: true });
  const text = new TextDecoder("latin1").decode(head);
  if (text.startsWith("PK\u0003\u0004")) return;
  const refuse = (what: string, remedy: string) =>
    new SpinError("invalid", `${path} is ${what}`, { file: path, remedy });
  const saveAgain =
    "load it with torch.load in a version that you trust it in, and save the state dict with torch.save of PyTorch 1.6 or newer";
  // torch/serialization.py: a pickled number, 0x1950a86a20f9469cfc6c.
  if (text.startsWith("\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019")) {
    throw refuse("in torch.save's format from before PyTorch 1.6", saveAgain);
  }
  if (text.slice(257, 262) === "ustar")
    throw refuse("in torch.save's tar format from before PyTorch 0.1.10", saveAgain);
  if (text.startsWith("version https://git-lfs")) {
    throw refuse("a pointer of Git LFS, not the file itself", "download the file, as `git lfs pull` does");
  }
  throw corrupt(path, "not a file of torch.save: it does not begin as a zip archive");
}

/** The folder that all entries lie in: `archive`, or the name that the file had when it was written. */
function archiveRoot(entries: ReadonlyMap<string, ZipEntry>, path: string): string {
  const roots = [...entries.keys()].flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  const [root, another] = roots;
  if (root === undefined || another !== undefined) {
    throw corrupt(
      path,
      `the archive has ${roots.length} entries <name>/data.pkl, expected one, as torch.save writes it`,
    );
  }
  if (entries.has(`${root}/constants.pkl`)) {
    const remedy = "take the file of weights (a state dict) instead";
    throw new SpinError("invalid", `${path} is a TorchScript program, which is not read`, { file: path, remedy });
  }
  return root;
}

async function readEntry(path: string, entry: ZipEntry, limit: number): Promise<Uint8Array> {
  const { offset, byteLength } = entry;
  if (byteLength > limit) throw corrupt(path, `an entry of ${byteLength} bytes where at most ${limit} are expected`);
  return readRange(path, offset, byteLength);
}

function readPickle(pickle: Uint8Array, path: string): PickleValue {
  try {
    return unpickle(pickle, TORCH_ENVIRONMENT);
  } catch (error) {
    if (!(error instanceof PickleError)) throw error;
    throw new SpinError("corrupt", `${path}: data.pkl: ${error.message}`, {
      file: path,
      cause: error,
      remedy: "nothing of it was run; use a file of weights alone, from a source that you trust",
    });
  }
}

function stateDict(value: PickleValue, path: string): PickleDict {
  const whole = requireDict(value, "what it holds", path);
  return whole.has(STATE_DICT) ? requireDict(whole.get(STATE_DICT), `its "${STATE_DICT}"`, path) : whole;
}

function requireDict(value: PickleValue | undefined, what: string, path: string): PickleDict {
  if (value instanceof Map) return value;
  throw corrupt(path, `${what} is no table of tensors`);
}

function checkedName(name: PickleValue, path: string): string {
  if (typeof name !== "string") throw corrupt(path, "a tensor's name is not text");
  checkTensorName(name, path);
  return name;
}

/** Where in the file a tensor lies. Its storage's claims were compared with its view; here they meet the archive. */
function locate(
  tensor: TorchTensor,
  entries: ReadonlyMap<string, ZipEntry>,
  root: string,
  path: string,
  name: PickleValue,
): TensorInfo {
  const { storage, offset, shape, strides } = tensor;
  const { key, dtype } = storage;
  const entry = entries.get(`${root}/data/${key}`);
  const problem = (text: string) => corrupt(path, text, String(name));
  if (entry === undefined) throw problem(`the archive has no storage "${printable(key)}"`);
  if (storageBytes(storage) > entry.byteLength) {
    throw problem(`its storage has ${entry.byteLength} bytes where ${storageBytes(storage)} are claimed`);
  }
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return {
    file: path,
    dtype,
    shape,
    offset: entry.offset + offset * DTYPE_BYTES[dtype],
    byteLength: elements * DTYPE_BYTES[dtype],
    ...(tensor.isContiguous ? {} : { strides }),
  };
}
