#!/usr/bin/env node
/** Tries a machine's devices: `node bench/gpu-check.mjs --device cuda:0 --json gpu.json`. */
import { launch } from "./launch.mjs";

await launch("gpu-check");
