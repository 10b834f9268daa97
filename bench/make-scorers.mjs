#!/usr/bin/env node
/** Writes the published scorers' files with random weights: `node bench/make-scorers.mjs folder`. */
import { launch } from "./launch.mjs";

await launch("scorers");
