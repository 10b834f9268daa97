/** Largest request, in bytes: specifications, ten thousand prompts, training curves. */
export const REQUEST_LIMIT_BYTES = 4 * 1024 * 1024;

/** Largest response message, in bytes: a batch of draws with all its steps. */
export const RESPONSE_LIMIT_BYTES = 64 * 1024 * 1024;

/** Largest piece of a file or report in one message, in bytes. */
export const CHUNK_BYTES = 1024 * 1024;
