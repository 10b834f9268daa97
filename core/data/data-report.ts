/** A row of the source that is not used, or only in part, and why. */
export interface RowProblem {
  /** File that the row is in. */
  readonly file: string;
  /** Number of the row in its file, from 0; of a line of text, from 1. */
  readonly row: number;
  readonly problem: string;
}

/** What data are made of. */
export type DataKind = "built-in" | "pick-a-pic" | "image-folder" | "caption-files" | "prompt-list";

/** What became of every row of a data set's part: rowsRead = rowsUsed + ties + unlabelled + broken. */
export interface DataReport {
  readonly kind: DataKind;
  readonly rowsRead: number;
  /** Items of the data set. */
  readonly rowsUsed: number;
  /** Pairs of which neither picture is better. */
  readonly ties: number;
  /** Pairs that nobody has judged. */
  readonly unlabelled: number;
  /** Rows that cannot be used: a picture that cannot be decoded or is missing, a row that cannot be read, a missing caption. */
  readonly broken: number;
  /** Used rows whose caption an earlier one had already. */
  readonly repeatedPrompts: number;
  /** The first broken rows, at most `MAX_EXAMPLES`. */
  readonly examples: readonly RowProblem[];
}

/** A file that data were read from. */
export interface DataFile {
  /** Relative to the data set's folder. */
  readonly path: string;
  readonly size: number;
  /** 64 hexadecimal digits over the content. */
  readonly sha256: string;
}

export const MAX_EXAMPLES = 20;

/** The report of data of which every row is used. */
export function cleanReport(kind: DataKind, captions: readonly string[]): DataReport {
  return {
    kind,
    rowsRead: captions.length,
    rowsUsed: captions.length,
    ties: 0,
    unlabelled: 0,
    broken: 0,
    repeatedPrompts: captions.length - new Set(captions).size,
    examples: [],
  };
}

/** `7,412 of 9,000 rows used: 1,203 ties, 380 unlabelled, 5 broken (train-0.parquet row 17: …)`. */
export function describeReport({ rowsRead, rowsUsed, ties, unlabelled, broken, examples }: DataReport): string {
  const first = examples[0];
  const example = first === undefined ? "" : ` (${first.file} row ${first.row}: ${first.problem})`;
  return `${rowsUsed} of ${rowsRead} rows are used, ${ties} are ties, ${unlabelled} unlabelled, ${broken} broken${example}`;
}
