import { SpinError } from "../../core/errors.js";
import { createPacer } from "./pacer.js";

/** A row-major matrix in double precision. [rows, columns] */
export interface Matrix {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * The singular values of a matrix, in no order: Householder bidiagonalisation (Golub & Kahan 1965), then the eigenvalues
 * ±σ of the tridiagonal matrix [0 Bᵀ; B 0] with its rows shuffled (Golub & Van Loan, "Matrix Computations", §8.6).
 * O(rows · columns · min); yields to the event loop between columns.
 * @returns min(rows, columns) values, each ≥ 0 up to rounding.
 */
export async function singularValues(matrix: Matrix): Promise<Float64Array> {
  const tall = matrix.rows >= matrix.columns ? { ...matrix, data: matrix.data.slice() } : transpose(matrix);
  const offDiagonal = await bidiagonalise(tall);
  const eigenvalues = tridiagonalEigenvalues(new Float64Array(2 * tall.columns), offDiagonal);
  // They come as ±σ: the upper half are the singular values.
  return eigenvalues.sort().slice(tall.columns);
}

/** R of a QR factorisation by Householder reflections: RᵀR = AᵀA. `matrix` has at least as many rows as columns. */
export async function triangularFactor(matrix: Matrix): Promise<Matrix> {
  const { rows, columns } = matrix;
  const a = { data: matrix.data.slice(), rows, columns };
  const pace = createPacer();
  for (let k = 0; k < columns; k++) {
    eliminateBelow(a, k);
    await pace();
  }
  return { data: a.data.slice(0, columns * columns), rows: columns, columns };
}

export function transpose({ data, rows, columns }: Matrix): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  return { data: out, rows: columns, columns: rows };
}

/**
 * Reduces a tall matrix to bidiagonal form in place.
 * @returns d_0, e_0, d_1, e_1, …, d_{n−1}: diagonal and superdiagonal interleaved, [2n − 1].
 */
async function bidiagonalise(a: Matrix): Promise<Float64Array> {
  const n = a.columns;
  const interleaved = new Float64Array(Math.max(0, 2 * n - 1));
  const pace = createPacer();
  for (let k = 0; k < n; k++) {
    interleaved[2 * k] = eliminateBelow(a, k);
    if (k + 1 < n) interleaved[2 * k + 1] = eliminateRight(a, k);
    await pace();
  }
  return interleaved;
}

/** Reflects rows k … so that column k is zero below its diagonal; returns the diagonal entry. */
function eliminateBelow({ data, rows, columns }: Matrix, k: number): number {
  const v = new Float64Array(rows - k);
  for (let i = k; i < rows; i++) v[i - k] = data[i * columns + k]!;
  const { pivot, tau } = householder(v);
  const projection = new Float64Array(columns - k); // vᵀA
  for (let i = k; i < rows; i++) {
    const vi = v[i - k]!;
    const row = i * columns + k;
    for (let j = 0; j < projection.length; j++) projection[j]! += vi * data[row + j]!;
  }
  for (let i = k; i < rows; i++) {
    const scale = tau * v[i - k]!;
    const row = i * columns + k;
    for (let j = 0; j < projection.length; j++) data[row + j]! -= scale * projection[j]!;
  }
  return pivot;
}

/** Reflects columns k + 1 … so that row k is zero right of its superdiagonal; returns the superdiagonal entry. */
function eliminateRight({ data, rows, columns }: Matrix, k: number): number {
  const v = data.slice(k * columns + k + 1, (k + 1) * columns);
  const { pivot, tau } = householder(v);
  for (let i = k; i < rows; i++) {
    const row = i * columns + k + 1;
    let projection = 0;
    for (let j = 0; j < v.length; j++) projection += v[j]! * data[row + j]!;
    projection *= tau;
    for (let j = 0; j < v.length; j++) data[row + j]! -= projection * v[j]!;
  }
  return pivot;
}

/** Turns x into v such that (I − τvvᵀ)x = pivot · e_0. */
function householder(x: Float64Array): { pivot: number; tau: number } {
  let squared = 0;
  for (let i = 0; i < x.length; i++) squared += x[i]! * x[i]!;
  if (squared === 0) return { pivot: 0, tau: 0 };
  const pivot = x[0]! > 0 ? -Math.sqrt(squared) : Math.sqrt(squared); // the sign that does not cancel
  const rest = squared - x[0]! * x[0]!;
  x[0]! -= pivot;
  return { pivot, tau: 2 / (rest + x[0]! * x[0]!) };
}

/** Sweeps per eigenvalue; two or three are usual. */
const MAX_SWEEPS = 60;

/** Eigenvalues of a symmetric tridiagonal matrix by the QL algorithm with implicit Wilkinson shifts. Overwrites `diagonal`. */
function tridiagonalEigenvalues(diagonal: Float64Array, offDiagonal: Float64Array): Float64Array {
  const d = diagonal;
  const n = d.length;
  const e = new Float64Array(n);
  e.set(offDiagonal);
  const norm = e.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * Math.max(norm, Math.abs(d[m]!))) m++;
      if (m === l) break;
      if (sweep === MAX_SWEEPS) throw new SpinError("internal", `eigenvalue ${l} did not converge in ${sweep} sweeps`);
      qlSweep(d, e, l, m);
    }
  }
  return d;
}

/** One QL sweep over the unreduced block l … m, rotating its off-diagonal entry e_l towards zero. */
function qlSweep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  const half = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  const shift = d[l]! - e[l]! / (half + Math.sign(half || 1) * Math.hypot(half, 1));
  let bulge = d[m]! - shift;
  let cosine = 1;
  let sine = 1;
  let carry = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = sine * e[i]!;
    const b = cosine * e[i]!;
    const r = Math.hypot(f, bulge);
    e[i + 1] = r;
    if (r === 0) {
      // The block has split by underflow: undo the carry and let the caller start again.
      d[i + 1]! -= carry;
      e[m] = 0;
      return;
    }
    sine = f / r;
    cosine = bulge / r;
    const g = d[i + 1]! - carry;
    const t = (d[i]! - g) * sine + 2 * cosine * b;
    carry = sine * t;
    d[i + 1] = g + carry;
    bulge = cosine * t - b;
  }
  d[l]! -= carry;
  e[l] = bulge;
  e[m] = 0;
}
