#!/usr/bin/env node
/** Gives every decoder of files and messages damaged inputs: `node bench/fuzz.mjs --inputs 1000`. */
import { launch } from "./launch.mjs";

await launch("fuzz");
