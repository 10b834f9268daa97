/**
 * The standard normal's quantile function by operations that round alike everywhere: + − × ÷ in double precision, which
 * ECMAScript requires to be correctly rounded one by one (nothing is fused), and √, which IEEE 754 rounds correctly and
 * engines leave to the processor's instruction. Math.log, Math.cos and ** carry no such promise: their last bits may
 * differ between engines and processors, and a replica on another machine would draw other noise.
 *
 * The approximation is Wichura's PPND16 (Algorithm AS 241, Applied Statistics 37, 1988), relative error about 1e-16.
 */

/** Numerator and denominator of a rational function, constant term first. */
type Rational = readonly [numerator: readonly number[], denominator: readonly number[]];

/** In r = 0.425² − q², for |q| ≤ 0.425. */
const CENTRE: Rational = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
];
/** In r − 1.6, for r = √(−ln p) ≤ 5. */
const TAIL: Rational = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
];
const CENTRE_HALF_WIDTH = 0.425;
const TAIL_SHIFT = 1.6;
const WORDS = 0x1_0000_0000;

/**
 * The value z with Φ(z) = (word + ½) / 2³², for a word of 32 random bits: a standard normal when the word is uniform,
 * within ±6.34, exactly antisymmetric about the middle.
 *
 * @param word unsigned 32-bit
 */
export function normalFromWord(word: number): number {
  // q = p − ½, exact: p has 33 binary digits.
  const q = (word + 0.5) / WORDS - 0.5;
  if (Math.abs(q) <= CENTRE_HALF_WIDTH) {
    return q * evaluate(CENTRE, CENTRE_HALF_WIDTH * CENTRE_HALF_WIDTH - q * q);
  }
  // The smaller of p and 1 − p as an odd number of units of 2⁻³³.
  const units = 2 * (q < 0 ? word : 0xffffffff - word) + 1;
  const size = evaluate(TAIL, Math.sqrt(-logOfUnits(units)) - TAIL_SHIFT);
  return q < 0 ? -size : size;
}

/** ln(units / 2³³) for 1 ≤ units < 2³²: the binary exponent apart, then ln m = 2 artanh((m−1)/(m+1)) as a series. */
function logOfUnits(units: number): number {
  let exponent = 31 - Math.clz32(units);
  let mantissa = units / ((1 << exponent) >>> 0);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  // |s| ≤ 0.172, so the term after s²¹/21 is below 1e-18.
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let series = 0;
  for (let power = 21; power >= 1; power -= 2) series = series * square + 1 / power;
  return (exponent - 33) * Math.LN2 + 2 * s * series;
}

function evaluate([numerator, denominator]: Rational, x: number): number {
  return horner(numerator, x) / horner(denominator, x);
}

function horner(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * x + coefficients[i]!;
  return sum;
}
