import { Command } from "commander";
import { readSpans } from "../../core/service/read-spans.js";
import { runTool } from "../run-tool.js";
import { formatCost } from "./format-cost.js";
import { streamingCost } from "./streaming-cost.js";

const program = new Command("streaming-cost")
  .description("Tell from traces what waiting for draws and streaming them cost each iteration.")
  .argument("<files...>", "what SPIN_TRACE_FILE named, of the trainer and its generators")
  .option("--json", "print one line of JSON")
  .action(async (files: string[], { json }: { readonly json?: boolean }) => {
    const costs = streamingCost((await Promise.all(files.map(readSpans))).flat());
    process.stdout.write(`${json ? JSON.stringify(costs) : costs.map(formatCost).join("\n\n")}\n`);
  });
await runTool(program);
