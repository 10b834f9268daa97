#!/usr/bin/env node
/** Tells what a collector costs an iteration, whatever its state: `node bench/collector-cost.mjs`. */
import { launch } from "./launch.mjs";

await launch("collector-cost");
