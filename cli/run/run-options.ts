import type { RunSettings } from "./settings.js";

/** What the command line says of a run. */
export interface RunCommandOptions extends RunSettings {
  readonly trainer: string;
  readonly evaluator?: string;
  readonly scorer: string;
  readonly maxPrompts: number;
  readonly report?: string;
  /** Of a recipe. */
  readonly set?: readonly string[];
  readonly local?: boolean;
  readonly modelDir: string;
  readonly dataDir?: string;
  readonly stateDir: string;
  readonly threads?: number;
  readonly name?: string;
  readonly patience: number;
  readonly json?: boolean;
}
