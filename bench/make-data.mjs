#!/usr/bin/env node
/** Writes a data set in Pick-a-Pic's columns: `node bench/make-data.mjs folder`. */
import { launch } from "./launch.mjs";

await launch("data");
