/** What a field of a request is, and so which values of it are hostile. Enums, switches and the lengths of lists need no row. */
export type FieldKind =
  /** An identifier or a label: one harmless segment. */
  | "id"
  /** A path or name below one of the service's folders. */
  | "path"
  /** A path of a file that people name as they like, with spaces and letters of any script. */
  | "file"
  | "digest"
  /** Words of people, of bounded length. */
  | "text"
  /** A number that decides how much is computed, read or kept, or that mathematics needs within bounds. */
  | "size"
  /** Every value of its type is harmless: a seed, a place in a stream, or what the comment says. */
  | "any";

/** Kinds of fields by message, for every message that is part of a request. */
export const FIELDS: Readonly<Record<string, Readonly<Record<string, FieldKind>>>> = {
  CheckpointRef: { digest: "digest", model_name: "path" },
  DatasetRef: { name: "path", digest: "digest", split: "path" },
  SamplerSettings: {
    num_steps: "size",
    eta: "size",
    guidance_scale: "size",
    negative_prompt: "text",
    guidance_rescale: "size",
    clip_skip: "size",
  },
  ImagePreparation: { resolution: "size", flip_probability: "size" },
  SamplingSettings: {
    draws_per_sample: "size",
    prompt_dropout: "size",
    batch_size: "size",
    threads: "size",
    clip_skip: "size",
  },
  SamplingSpec: { seed: "any", iteration: "size", compute_fingerprint: "digest", earlier_share: "size" },
  SampleTrajectoriesRequest: { first_index: "size", num_samples: "size", content_digest: "digest" },
  RenderImagesRequest: { height: "size", width: "size", batch_size: "size" },
  RenderItem: {
    prompt: "text",
    caption_index: "any", // Beyond the data set's end it is refused where the set is known.
    seed: "any",
  },
  CreateRunRequest: { request_id: "id", display_name: "text", seed: "any" },
  StartIterationRequest: { request_id: "id", run_id: "id" },
  IterationSpec: {
    display_name: "text",
    num_steps: "size",
    batch_size: "size",
    micro_batch_size: "size",
    checkpoint_interval: "size",
    earlier_share: "size",
  },
  DivergenceStop: { patience: "size", margin: "size", error_rise: "size", real_error_rise: "size" },
  EmaSettings: { decay: "size" },
  LoraSettings: { rank: "size", alpha: "size", target_modules: "path" },
  SpinObjective: { beta: "size", lambda: "size" },
  SpinExactObjective: { lambda: "size" },
  SpinRenoisedObjective: { beta: "size" },
  DpoObjective: { beta: "size", ipo_tau: "size" },
  OptimizerSettings: {
    learning_rate: "size",
    beta1: "size",
    beta2: "size",
    epsilon: "size",
    weight_decay: "size",
    max_grad_norm: "size",
    warmup_steps: "size",
    schedule_steps: "size",
  },
  WatchIterationRequest: { iteration_id: "id", after_sequence: "any" },
  CancelIterationRequest: { iteration_id: "id" },
  GetIterationRequest: { iteration_id: "id" },
  GetRunRequest: { run_id: "id" },
  ListRunsRequest: { page_size: "size", page_token: "id" },
  ListCheckpointsRequest: { run_id: "id", page_size: "size", page_token: "id" },
  GetCheckpointRequest: { digest: "digest" },
  ReadFileRequest: {
    digest: "digest",
    path: "path",
    offset: "any", // Beyond the file's end it is refused where the file is known.
  },
  StartEvaluationRequest: { request_id: "id" },
  EvaluationSpec: {
    baseline_label: "id",
    max_prompts: "any", // At most as many as the set has are taken.
    seeds: "any",
    batch_size: "size",
    scorers: "path",
    scorer_paths: "file",
    bootstrap_samples: "size",
    bootstrap_seed: "any",
  },
  EvaluatedCheckpoint: { label: "id", total_steps: "any" },
  WatchEvaluationRequest: { evaluation_id: "id", after_sequence: "any" },
  CancelEvaluationRequest: { evaluation_id: "id" },
  GetEvaluationRequest: { evaluation_id: "id" },
  ListEvaluationsRequest: { page_size: "size", page_token: "id" },
  CompareRequest: { evaluation_id: "id", label_a: "id", label_b: "id", evaluation_id_b: "id" },
  GetTableRequest: { evaluation_id: "id", labels: "id" },
  GetReportRequest: { evaluation_id: "id", reference_label: "text" },
  TimeEstimate: { planned_seconds: "size", measured_seconds: "size" },
  TrainingCurve: { label: "text" },
  // Figures that the caller has watched, drawn as they are.
  StepMetrics: {
    step: "any",
    loss: "any",
    margin: "any",
    implicit_accuracy: "any",
    real_error: "any",
    synthetic_error: "any",
    real_error_change: "any",
    synthetic_error_change: "any",
    grad_norm: "any",
    update_norm: "any",
    learning_rate: "any",
    wait_seconds: "any",
    compute_seconds: "any",
    saturated_share: "any",
    loss_scale: "any",
    skipped_updates: "any",
  },
};

/** Messages that are shown as they come, escaped, and that decide nothing: what is in them is not walked. */
export const SHOWN: ReadonlySet<string> = new Set(["GetReportRequest.lineage", "GetReportRequest.timeline"]);

/** Lists whose length only the size of a message bounds. */
export const UNBOUNDED_LISTS: ReadonlySet<string> = new Set(["TrainingCurve.steps"]);

const NAMES = [
  "../secret",
  "..",
  ".",
  "/etc/passwd",
  "a/../../secret",
  "a\u0000b",
  "a\nb",
  "a b",
  "a\\..\\b",
  "ﬀ",
  "x".repeat(20_000),
];

/** Values that a field of a kind must refuse. */
export const HOSTILE_TEXTS: Readonly<Record<Exclude<FieldKind, "any" | "size">, readonly string[]>> = {
  id: [...NAMES, "a/b"],
  path: [...NAMES, "a//b", "a/", "./a"],
  file: [...NAMES, "a//b", "a/", "./a"].filter((name) => !["a b", "ﬀ"].includes(name)),
  digest: [
    "../secret",
    "sha256:12",
    `sha256:${"g".repeat(64)}`,
    `sha256:${"A".repeat(64)}`,
    `sha512:${"a".repeat(64)}`,
    "a\u0000",
    "x".repeat(20_000),
  ],
  text: ["x".repeat(20_000)],
};

/** Numbers that a `size` must refuse, by the type of its field. */
export const HOSTILE_NUMBERS: Readonly<Record<"integer" | "long" | "float", readonly (number | bigint)[]>> = {
  integer: [2 ** 32 - 1],
  long: [2n ** 64n - 1n],
  float: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1],
};
