import type { ClipFormula } from "./clip-scorer.js";

/** What a scorer's weights are, and how a score is made with them. */
export type ScorerForm =
  /** A folder of transformers' CLIPModel. */
  | { readonly kind: "clip"; readonly formula: ClipFormula }
  /** A file of an open_clip model's state dict. */
  | { readonly kind: "openClip"; readonly formula: ClipFormula }
  | { readonly kind: "imageReward" }
  | { readonly kind: "aesthetic" };

const PICKSCORE: ScorerForm = {
  kind: "clip",
  formula: { fit: "transformers", score: (cosine, logitScale) => cosine * logitScale },
};

/** By the name that a scorer is given; a name may go on behind a hyphen, as `hps-v2.1`. */
const FORMS: ReadonlyMap<string, ScorerForm> = new Map<string, ScorerForm>([
  // Kirstain et al. 2023: exp(logit_scale)·cos.
  ["pickscore", PICKSCORE],
  // Wu et al. 2023: hpsv2.score() gives the cosine, the benchmark's tables 100·cos.
  ["hps", { kind: "openClip", formula: { fit: "tensor", score: (cosine) => cosine } }],
  ["hps-x100", { kind: "openClip", formula: { fit: "tensor", score: (cosine) => 100 * cosine } }],
  ["hps-no-antialias", { kind: "openClip", formula: { fit: "tensor-plain", score: (cosine) => cosine } }],
  ["imagereward", { kind: "imageReward" }],
  ["aesthetic", { kind: "aesthetic" }],
  // Hessel et al. 2021; ImageReward's CLIPScore.py; torchmetrics.
  [
    "clipscore",
    {
      kind: "clip",
      formula: { fit: "torchvision", prefix: "A photo depicts ", score: (cosine) => 2.5 * Math.max(cosine, 0) },
    },
  ],
  ["clipscore-cosine", { kind: "clip", formula: { fit: "torchvision", score: (cosine) => cosine } }],
  ["clipscore-x100", { kind: "clip", formula: { fit: "transformers", score: (cosine) => 100 * Math.max(cosine, 0) } }],
]);

export const FORM_NAMES: readonly string[] = [...FORMS.keys()];

/** The form that a name asks for, the longest that it begins with; PickScore's for a name that begins with none. */
export function formOf(name: string): ScorerForm {
  const matching = FORM_NAMES.filter((form) => name === form || name.startsWith(`${form}-`));
  const longest = matching.reduce((best, form) => (form.length > best.length ? form : best), "");
  return FORMS.get(longest) ?? PICKSCORE;
}
