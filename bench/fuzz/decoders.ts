import { DATA_DECODERS } from "./data-decoders.js";
import type { Decoder } from "./decoder.js";
import { MESSAGE_DECODERS } from "./message-decoders.js";
import { MODEL_DECODERS } from "./model-decoders.js";
import { STATE_DECODERS } from "./state-decoders.js";

/** Every decoder of files and messages from outside, and of what a service reads again that it wrote itself. */
export const DECODERS: readonly Decoder[] = [
  ...MESSAGE_DECODERS,
  ...MODEL_DECODERS,
  ...DATA_DECODERS,
  ...STATE_DECODERS,
];
