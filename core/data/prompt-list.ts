import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { digestOf } from "../canonical-json.js";
import { toIoError } from "../checkpoint/io-errors.js";
import { SpinError } from "../errors.js";
import { cleanReport, type DataReport, MAX_EXAMPLES, type RowProblem } from "./data-report.js";

/** A prompt without a picture. */
export interface Prompt {
  readonly prompt: string;
  /** PartiPrompts' Category, HPSv2's style; undefined where the file has none. */
  readonly category?: string;
}

/** Prompts in a fixed order. */
export interface PromptList {
  readonly name: string;
  /** `sha256:` and 64 hex digits over prompts and categories in order. */
  readonly digest: string;
  readonly prompts: readonly Prompt[];
  readonly report: DataReport;
}

type Rows = { readonly prompts: Prompt[]; readonly problems: RowProblem[] };

/** Readers by the end of a file's name. */
const READERS: Readonly<Record<string, (text: string, file: string) => Rows>> = {
  ".txt": readLines,
  ".jsonl": readJsonLines,
  ".tsv": readTable,
  ".json": readStyle,
};

/** @returns whether a file's name is that of a list of prompts. */
export function isPromptFile(path: string): boolean {
  return extname(path) in READERS && basename(path) !== "metadata.jsonl";
}

/**
 * Reads prompts from a `.txt` file (one a line), a `.jsonl` file (`prompt`, `text` or `caption`), a `.tsv` file with a Prompt column
 * (PartiPrompts; quotes are characters as any other), a `.json` array of texts (HPSv2's, whose file is named after its style), or from all
 * such files of a folder by name. An empty line of a `.txt` or `.jsonl` file is no row.
 *
 * @throws SpinError `notFound` for a missing path, `invalid` for a file without a column of prompts or without any prompt
 */
export async function readPromptList(name: string, path: string): Promise<PromptList> {
  const all: Rows = { prompts: [], problems: [] };
  for (const file of await promptFiles(path)) {
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      throw toIoError(error, file, "read");
    });
    const { prompts, problems } = READERS[extname(file)]!(text.replace(/^\uFEFF/, ""), basename(file));
    all.prompts.push(...prompts);
    all.problems.push(...problems);
  }
  const { prompts, problems } = all;
  const clean = cleanReport(
    "prompt-list",
    prompts.map(({ prompt }) => prompt),
  );
  const report: DataReport = {
    ...clean,
    rowsRead: prompts.length + problems.length,
    broken: problems.length,
    examples: problems.slice(0, MAX_EXAMPLES),
  };
  return { name, digest: digestOf(prompts.map(({ prompt, category }) => [prompt, category ?? null])), prompts, report };
}

async function promptFiles(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) {
      if (isPromptFile(path)) return [path];
      const known = Object.keys(READERS).join(", ");
      throw new SpinError("invalid", `${path} is no list of prompts: expected a name that ends in ${known}`, {
        file: path,
      });
    }
    const names = (await readdir(path)).filter(isPromptFile).sort((a, b) => (a < b ? -1 : 1));
    return names.map((file) => join(path, file));
  } catch (error) {
    throw toIoError(error, path, "read");
  }
}

function readLines(text: string): Rows {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return { prompts: lines.map((prompt) => ({ prompt })), problems: [] };
}

function readJsonLines(text: string, file: string): Rows {
  const rows: Rows = { prompts: [], problems: [] };
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const found = promptOf(line);
    if ("problem" in found) rows.problems.push({ file, row: i + 1, problem: found.problem });
    else rows.prompts.push(found);
  }
  return rows;
}

function promptOf(line: string): Prompt | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return { problem: `not JSON (${(error as Error).message})` };
  }
  if (typeof value === "string") return { prompt: value };
  const { prompt, text, caption, category } = (value ?? {}) as Record<string, unknown>;
  const found = [prompt, text, caption].find((candidate) => typeof candidate === "string");
  if (typeof found !== "string") return { problem: "expected a text under prompt, text or caption" };
  return typeof category === "string" ? { prompt: found, category } : { prompt: found };
}

/** PartiPrompts.tsv: a header, then a row a line. Nothing is quoted: quotes belong to the prompts. */
function readTable(text: string, file: string): Rows {
  const [header = "", ...lines] = text.split(/\r?\n/);
  const names = header.split("\t").map((name) => name.trim().toLowerCase());
  const [prompt, category] = [names.indexOf("prompt"), names.indexOf("category")];
  if (prompt < 0) {
    throw new SpinError("invalid", `${file}: expected a column Prompt, there are ${names.join(", ")}`, {
      file,
      remedy: "take PartiPrompts.tsv as it is published, or name the column in the first line",
    });
  }
  const rows: Rows = { prompts: [], problems: [] };
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const cells = line.split("\t");
    const found = cells[prompt] ?? "";
    if (found.trim() === "") rows.problems.push({ file, row: i + 1, problem: "no prompt" });
    else rows.prompts.push({ prompt: found, ...(cells[category] ? { category: cells[category] } : {}) });
  }
  return rows;
}

/** HPSv2's benchmark: an array of prompts in a file named after its style. */
function readStyle(text: string, file: string): Rows {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new SpinError("corrupt", `${file} is not JSON (${(error as Error).message})`, { file });
  }
  if (!Array.isArray(list)) throw new SpinError("invalid", `${file}: expected an array of prompts`, { file });
  const category = basename(file, ".json");
  const rows: Rows = { prompts: [], problems: [] };
  for (const [row, prompt] of list.entries()) {
    if (typeof prompt === "string") rows.prompts.push({ prompt, category });
    else rows.problems.push({ file, row, problem: `expected a text, came ${typeof prompt}` });
  }
  return rows;
}
