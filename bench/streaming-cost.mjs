#!/usr/bin/env node
/** Tells from a trace what waiting and streaming cost an iteration: `node bench/streaming-cost.mjs trace.jsonl`. */
import { launch } from "./launch.mjs";

await launch("streaming-cost");
