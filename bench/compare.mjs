#!/usr/bin/env node
/** Sets PyTorch beside this project and prints a table: `node bench/compare.mjs base --python scratch/bin/python`. */
import { launch } from "./launch.mjs";

await launch("compare");
