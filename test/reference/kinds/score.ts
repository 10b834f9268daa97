import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";
import { scoreBlip } from "./score-blip.js";
import { scoreClip } from "./score-clip.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  return Object.hasOwn(reference.models ?? {}, "blip") ? scoreBlip(reference) : scoreClip(reference);
}
