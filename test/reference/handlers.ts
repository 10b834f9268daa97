import type { ReferenceCase } from "./cases.js";
import type { CaseResult } from "./judge.js";

/** A handler file, `kinds/<kind>.ts`: computes with this project's code what a case expects. */
export interface Handler {
  run(reference: ReferenceCase): Promise<CaseResult>;
}

/** Every kind that can be computed. A kind that is neither here nor in `PENDING` is a failure. */
export const HANDLERS: ReadonlyMap<string, () => Promise<Handler>> = new Map<string, () => Promise<Handler>>([
  ["dataset", () => import("./kinds/dataset.js")],
  ["lora", () => import("./kinds/lora.js")],
  ["metrics", () => import("./kinds/metrics.js")],
  ["malformed", () => import("./kinds/malformed.js")],
  ["noise", () => import("./kinds/noise.js")],
  ["objective", () => import("./kinds/objective.js")],
  ["optimizer", () => import("./kinds/optimizer.js")],
  ["preprocess", () => import("./kinds/preprocess.js")],
  ["scheduler", () => import("./kinds/scheduler.js")],
  ["unet-forward", () => import("./kinds/unet-forward.js")],
  ["unet-gradient", () => import("./kinds/unet-gradient.js")],
  ["score", () => import("./kinds/score.js")],
  ["sample", () => import("./kinds/sample.js")],
  ["text-encode", () => import("./kinds/text-encode.js")],
  ["vae-decode", () => import("./kinds/vae-decode.js")],
  ["vae-encode", () => import("./kinds/vae-encode.js")],
  ["tokenize", () => import("./kinds/tokenize.js")],
]);

/** Cases of later work, `kind/name` or `kind/*`: shown as skipped, never as passed. */
export const PENDING: readonly string[] = [];

/** @returns whether the case `kind/name` belongs to later work. */
export function isPending(id: string): boolean {
  return PENDING.includes(id) || PENDING.includes(`${id.split("/")[0]}/*`);
}
