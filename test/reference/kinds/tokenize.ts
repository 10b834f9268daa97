import { loadClipTokenizer } from "../../../core/models/clip/tokenizer.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface TokenizeParameters {
  readonly prompts: readonly string[];
  readonly length: number;
  readonly pad_token: string;
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { prompts, length, pad_token } = reference.parameters as unknown as TokenizeParameters;
  const tokenizer = await loadClipTokenizer(reference.model("tokenizer"), { padToken: pad_token });
  const ids = prompts.flatMap((prompt) => [...tokenizer.encode(prompt, length)]);
  return { tensors: { "out.ids": { shape: [prompts.length, length], data: Int32Array.from(ids) } } };
}
