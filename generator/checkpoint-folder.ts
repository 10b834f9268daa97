import { digestOf } from "../core/canonical-json.js";
import type { Manifest } from "../core/checkpoint/manifest.js";

/** A checkpoint that lies on this machine. */
export interface CheckpointFolder {
  /** Digest of its manifest. */
  readonly digest: string;
  readonly folder: string;
  /** Digest of the text encoders' and tokenizers' files: equal ones encode captions alike. */
  readonly textDigest: string;
  /** Digest of the VAE's files. */
  readonly vaeDigest: string;
}

/** What a folder with this manifest is. */
export function checkpointFolder(folder: string, { digest, files }: Manifest): CheckpointFolder {
  const part = (names: RegExp) => digestOf(files.filter(({ path }) => names.test(path)));
  return { digest, folder, textDigest: part(/^(text_encoder|tokenizer)(_2)?\//), vaeDigest: part(/^vae\//) };
}
