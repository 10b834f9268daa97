import { loadClipTokenizer } from "../../../core/models/clip/tokenizer.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface TokenizeParameters {
  readonly prompts: readonly string[];
  readonly length: number;
  /** Null: open_clip's form, which pads with 0. */
  readonly pad_token: string | null;
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { prompts, length, pad_token } = reference.parameters as unknown as TokenizeParameters;
  const options = pad_token === null ? { isOpenClip: true } : { padToken: pad_token };
  const tokenizer = await loadClipTokenizer(reference.model("tokenizer"), options);
  const ids = prompts.flatMap((prompt) => [...tokenizer.encode(prompt, length)]);
  return { tensors: { "out.ids": { shape: [prompts.length, length], data: Int32Array.from(ids) } } };
}
