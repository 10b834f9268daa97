#!/usr/bin/env node
/** Simulates 1 to 256 generators feeding a trainer: `node bench/scaling.mjs`. */
import { launch } from "./launch.mjs";

await launch("scaling");
