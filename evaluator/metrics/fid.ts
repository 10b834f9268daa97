import { type Features, requireComparable } from "./features.js";
import { gram } from "./gram.js";
import { type Matrix, singularValues, triangularFactor } from "./singular-values.js";

/**
 * Fréchet Inception Distance (Heusel et al. 2017): ‖μ₁−μ₂‖² + Tr(Σ₁ + Σ₂ − 2√(Σ₁Σ₂)), covariances over n − 1.
 *
 * With Σ₁ = AᵀA and Σ₂ = BᵀB (A, B the centred rows over √(n−1)) the eigenvalues of Σ₁Σ₂ are the squared singular values
 * of ABᵀ, so Tr√(Σ₁Σ₂) is their sum: no matrix square root, and singular covariances (fewer pictures than
 * dimensions) need no regularisation. A set of more rows than columns is first brought to its triangular factor.
 */
export async function fid(x: Features, y: Features): Promise<number> {
  requireComparable(x, y, 2);
  const a = centre(x);
  const b = centre(y);
  let meanDistance = 0;
  for (let k = 0; k < x.columns; k++) meanDistance += (a.mean[k]! - b.mean[k]!) ** 2;
  const factorA = await reduceRows(a.deviations);
  const factorB = await reduceRows(b.deviations);
  const cross = { data: await gram(factorA, factorB), rows: factorA.rows, columns: factorB.rows };
  const values = await singularValues(cross);
  const traceOfRoot = values.reduce((total, value) => total + value, 0);
  return meanDistance + sumOfSquares(factorA) + sumOfSquares(factorB) - 2 * traceOfRoot;
}

function centre({ data, rows, columns }: Features): { mean: Float64Array; deviations: Matrix } {
  const mean = new Float64Array(columns);
  for (let row = 0; row < data.length; row += columns) {
    for (let k = 0; k < columns; k++) mean[k]! += data[row + k]! / rows;
  }
  const scale = 1 / Math.sqrt(rows - 1);
  const deviations = new Float64Array(data.length);
  for (let row = 0; row < data.length; row += columns) {
    for (let k = 0; k < columns; k++) deviations[row + k] = (data[row + k]! - mean[k]!) * scale;
  }
  return { mean, deviations: { data: deviations, rows, columns } };
}

async function reduceRows(matrix: Matrix): Promise<Matrix> {
  return matrix.rows > matrix.columns ? await triangularFactor(matrix) : matrix;
}

/** Tr(AᵀA). */
function sumOfSquares({ data }: Matrix): number {
  let total = 0;
  for (let i = 0; i < data.length; i++) total += data[i]! * data[i]!;
  return total;
}
