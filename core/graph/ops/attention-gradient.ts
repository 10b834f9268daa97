import type { FloatDType, Value } from "../value.js";
import { add, mul } from "./elementwise.js";
import { constant } from "./leaf.js";
import { matmul } from "./matmul.js";
import { concat, slice } from "./movement.js";
import { expand, softmax } from "./reduce.js";
import { reshape } from "./reshape.js";
import { scan } from "./scan.js";

/** Attention's inputs and what is known of its output's gradient, head by head; G = B·heads. */
interface HeadParts {
  /** [G, N, D] */
  readonly q: Value;
  /** [G, M, D] */
  readonly k: Value;
  /** [G, M, E] */
  readonly v: Value;
  /** [dO, −rowsum(dO ∘ O)], [G, N, E + 1] */
  readonly g: Value;
}

interface HeadGradients {
  readonly dq: Value;
  readonly dk: Value;
  readonly dv: Value;
}

/** Scores that are in memory at once, 64 MiB: one head of 4096 queries and keys. Smaller parts are no faster on CPUs. */
const SCORES_AT_ONCE = 2 ** 24;

/**
 * O = PV, P = softmax(S), S = αQKᵀ:  dV = Pᵀ dO,  dS = P ∘ (dO Vᵀ − rowsum(dO ∘ O)),  dQ = α dS K,  dK = α dSᵀ Q, with P computed
 * anew, and of no more heads or queries at a time than `scoresAtOnce` has room for. The bracket is one product,
 * [dO, −rowsum] [V, 1]ᵀ, so the scores are passed over once.
 */
export function headGradients(
  { q, k, v, g }: HeadParts,
  scale: number,
  mask?: Value,
  scoresAtOnce = SCORES_AT_ONCE,
): HeadGradients {
  const [heads, n, m] = [q.shape[0]!, q.shape[1]!, k.shape[1]!];
  const one = expand(constant([1], [1, 1, 1], v.dtype as FloatDType), [heads, m, 1]);
  const parts = { q, k, g, v: concat([v, one], 2) };
  const together = largestDivisor(heads, scoresAtOnce / (n * m));
  if (together === heads) return gradientsOf(parts, scale, mask);
  const queries = largestDivisor(n, scoresAtOnce / m);
  const fixed = mask === undefined ? [] : [mask];
  if (together > 1 || queries === n || mask !== undefined) {
    const grouped = (x: Value) => reshape(x, [heads / together, together, ...x.shape.slice(1)]);
    const over = [parts.q, parts.k, parts.v, parts.g].map(grouped);
    const { outputs } = scan({ over, fixed }, (_, [q, k, v, g], [mask]) => {
      const { dq, dk, dv } = gradientsOf({ q: q!, k: k!, v: v!, g: g! }, scale, mask);
      return { outputs: [dq, dk, dv] };
    });
    const whole = (x: Value) => reshape(x, [heads, ...x.shape.slice(2)]);
    const [dq, dk, dv] = outputs.map(whole);
    return { dq: dq!, dk: dk!, dv: dv! };
  }
  const { outputs } = scan({ over: [parts.q, parts.k, parts.v, parts.g] }, (_, [q, k, v, g]) => {
    const { dq, dk, dv } = queryBlocks({ q: q!, k: k!, v: v!, g: g! }, queries, scale);
    return { outputs: [dq, dk, dv] };
  });
  const [dq, dk, dv] = outputs;
  return { dq: dq!, dk: dk!, dv: dv! };
}

/** Of one head, `queries` of them at a time; dK and dV are summed up. */
function queryBlocks({ q, k, v, g }: HeadParts, queries: number, scale: number): HeadGradients {
  const blocks = (x: Value) => reshape(x, [x.shape[0]! / queries, queries, x.shape[1]!]);
  const zeros = (x: Value) => expand(constant([0], [1, 1], x.dtype as FloatDType), x.shape);
  const { states, outputs } = scan(
    { states: [zeros(k), zeros(v)], over: [blocks(q), blocks(g)], fixed: [k, v] },
    ([dk, dv], [q, g], [k, v]) => {
      const { probabilities, scores } = scoreGradients({ q: q!, k: k!, v: v!, g: g! }, scale, undefined);
      return {
        states: [
          add(dk!, matmul(scores, q!, { transposeA: true, alpha: scale })),
          add(dv!, matmul(probabilities, g!, { transposeA: true })),
        ],
        outputs: [matmul(scores, k!, { alpha: scale })],
      };
    },
  );
  const [dk, dv] = states;
  return { dq: reshape(outputs[0]!, q.shape), dk: dk!, dv: withoutLast(dv!) };
}

/** On [..., N, D]; v has a column of ones at its end. */
function gradientsOf({ q, k, v, g }: HeadParts, scale: number, mask: Value | undefined): HeadGradients {
  const { probabilities, scores } = scoreGradients({ q, k, v, g }, scale, mask);
  return {
    dq: matmul(scores, k, { alpha: scale }),
    dk: matmul(scores, q, { transposeA: true, alpha: scale }),
    dv: withoutLast(matmul(probabilities, g, { transposeA: true })),
  };
}

/** P and dS. */
function scoreGradients({ q, k, v, g }: HeadParts, scale: number, mask: Value | undefined) {
  const plain = matmul(q, k, { transposeB: true, alpha: scale });
  const probabilities = softmax(mask === undefined ? plain : add(plain, mask));
  return { probabilities, scores: mul(probabilities, matmul(g, v, { transposeB: true })) };
}

const withoutLast = (x: Value): Value => slice(x, x.shape.length - 1, 0, x.shape.at(-1)! - 1);

/** The largest divisor of `n` that is no more than `limit`; 1 where none is. */
function largestDivisor(n: number, limit: number): number {
  for (let parts = 1; parts < n; parts++) {
    if (n % parts === 0 && n / parts <= limit) return n / parts;
  }
  return 1;
}
