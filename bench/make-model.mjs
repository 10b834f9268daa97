#!/usr/bin/env node
/** Writes a model folder with random weights: `node bench/make-model.mjs sd15 folder`. */
import { launch } from "./launch.mjs";

await launch("model");
