import type { PhiloxStream } from "../../core/diffusion/philox.js";

/** Numbers at which readers go wrong, as one byte repeated. */
const EXTREMES = [0x00, 0x01, 0x7f, 0x80, 0xff] as const;
/** Text that steers readers of JSON, tables and paths. */
const WORDS = [
  "{",
  "[[[[[[[[",
  "-1",
  "1e999",
  "18446744073709551615",
  "null",
  "../../",
  "\u0000",
  '"',
  "\n",
  "PAR1",
  "__proto__",
];

/**
 * A valid file made worse in one to four ways: cut short, bytes exchanged, a field made extreme, a part repeated, left out or put elsewhere,
 * a word put in.
 * @param random of the input alone, so that a find can be made again from its number
 */
export function mutate(valid: Uint8Array, random: PhiloxStream): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(valid);
  for (let left = 1 + random.integer(4); left > 0 && bytes.length > 0; left--) {
    bytes = MUTATIONS[random.integer(MUTATIONS.length)]!(bytes, random);
  }
  return bytes;
}

type Mutation = (bytes: Uint8Array, random: PhiloxStream) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => bytes.subarray(0, place(bytes, random)),
  (bytes, random) => {
    for (let left = 1 + random.integer(8); left > 0; left--) bytes[place(bytes, random)] = random.integer(256);
    return bytes;
  },
  (bytes, random) => {
    const at = place(bytes, random);
    return bytes.fill(EXTREMES[random.integer(EXTREMES.length)]!, at, at + 2 ** random.integer(4));
  },
  (bytes, random) => {
    const from = place(bytes, random);
    return bytes.copyWithin(place(bytes, random), from, from + random.integer(64));
  },
  (bytes, random) => {
    const at = place(bytes, random);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(16)));
  },
  (bytes, random) => {
    const at = place(bytes, random);
    const part = bytes.subarray(at, at + random.integer(256));
    return joined(bytes.subarray(0, at), part, bytes.subarray(at));
  },
  (bytes, random) => {
    const at = place(bytes, random);
    const word = new TextEncoder().encode(WORDS[random.integer(WORDS.length)]);
    return joined(bytes.subarray(0, at), word, bytes.subarray(at));
  },
];

/** Half of them near the ends, where headers and directories are. */
function place({ length }: Uint8Array, random: PhiloxStream): number {
  const near = Math.min(length, 512);
  const kind = random.integer(4);
  if (kind === 0) return random.integer(near);
  return kind === 1 ? length - 1 - random.integer(near) : random.integer(length);
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
