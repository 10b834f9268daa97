import { Command } from "commander";
import { collect } from "../options.js";
import { serviceAddress } from "../remote/references.js";

interface ReportOptions {
  readonly evaluator: string;
  readonly evaluation: string;
  readonly trainer?: string;
  readonly trace?: readonly string[];
  readonly reference?: string;
  readonly out: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ spin-diffusion report --evaluation first --out report.html
  $ spin-diffusion report --evaluation first --trainer 127.0.0.1:50052 --trace trace.jsonl --out report.html

One self-contained HTML file: the paper's tables 1 to 4 and figures 1 to 5 for this evaluation. A trainer adds where the checkpoints
come from and how their training went; a trace (what SPIN_TRACE_FILE named) adds what ran when.`;

/** `spin-diffusion report`. */
export function reportCommand(): Command {
  return new Command("report")
    .description("Write the report of a finished evaluation, with lineage, training curves and a timeline.")
    .option("--evaluator <address>", "the evaluator", serviceAddress, "127.0.0.1:50053")
    .requiredOption("--evaluation <name>", "a finished evaluation, by its name or identifier")
    .option("--trainer <address>", "the trainer that made the checkpoints", serviceAddress)
    .option("--trace <file>", "a trace in OTLP JSON lines; repeatable", collect(String))
    .option("--reference <label>", "what table 4 gives win rates over; default: the label that contains dpo")
    .option("--out <file>", "where to write it", "report.html")
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: ReportOptions) => {
      const { writeReport } = await import("./write-report.js");
      const written = await writeReport(options);
      process.stdout.write(options.json ? `${JSON.stringify(written)}\n` : `report: ${written.report}\n`);
    });
}
