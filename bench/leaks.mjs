#!/usr/bin/env node
/** Runs iterations in a loop and tells whether anything grows: `node bench/leaks.mjs --iterations 200`. */
import { launch } from "./launch.mjs";

await launch("leaks");
