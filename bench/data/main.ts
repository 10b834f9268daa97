import { Command } from "commander";
import { wholeNumber } from "../../cli/options.js";
import { runTool } from "../run-tool.js";
import { numberedRows, writePickAPic } from "./pick-a-pic.js";

interface Options {
  readonly rows: number;
  readonly side: number;
  readonly captions?: number;
  readonly split: string;
}

const program = new Command("make-data")
  .description("Write a parquet file in Pick-a-Pic's columns with pictures of one shape each, for measurements.")
  .argument("<folder>", "where")
  .option("--rows <count>", "rows, of which every fifth is a tie", wholeNumber(1, 1_000_000), 200)
  .option("--side <pixels>", "height and width of the pictures", wholeNumber(8, 4096), 512)
  .option("--captions <count>", "different captions; default: one a row", wholeNumber(1, 1_000_000))
  .option("--split <name>", "part of the data set", "train")
  .action(async (folder: string, { rows, side, captions, split }: Options) => {
    const file = `${split}-00000-of-00001.parquet`;
    await writePickAPic(folder, file, await numberedRows(rows, { captions, side }), { rowGroupSize: 100 });
    process.stdout.write(`${folder}/${file}: ${rows} rows\n`);
  });
await runTool(program);
