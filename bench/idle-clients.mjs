#!/usr/bin/env node
/** Tells how fast health answers beside idle clients: `node bench/idle-clients.mjs`. */
import { launch } from "./launch.mjs";

await launch("idle-clients");
