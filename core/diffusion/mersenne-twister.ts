const STATE_SIZE = 624;
const SHIFT_SIZE = 397;

/**
 * mt19937 (Matsumoto & Nishimura 1998): returns a function that gives the next 32-bit word of the sequence.
 *
 * @param seed unsigned 32-bit
 */
export function createMersenneTwister(seed: number): () => number {
  const state = new Uint32Array(STATE_SIZE);
  state[0] = seed;
  for (let i = 1; i < STATE_SIZE; i++) {
    const before = state[i - 1]!;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  let position = STATE_SIZE;

  return () => {
    if (position === STATE_SIZE) {
      regenerate(state);
      position = 0;
    }
    let word = state[position++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    word ^= word >>> 18;
    return word >>> 0;
  };
}

function regenerate(state: Uint32Array): void {
  for (let i = 0; i < STATE_SIZE; i++) {
    const joined = (state[i]! & 0x80000000) | (state[(i + 1) % STATE_SIZE]! & 0x7fffffff);
    const twisted = (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    state[i] = state[(i + SHIFT_SIZE) % STATE_SIZE]! ^ twisted;
  }
}
