import type { Measured } from "./evaluation-row.js";

/**
 * Decimals that show three significant digits of a column's largest value, at least two: 20.53, 0.378, 0.0951.
 * One number of decimals for a column keeps its points aligned.
 */
export function columnDecimals(values: readonly number[]): number {
  const largest = Math.max(0, ...values.map(Math.abs).filter(Number.isFinite));
  return largest === 0 ? 2 : Math.min(6, Math.max(2, 2 - Math.floor(Math.log10(largest))));
}

/** Fixed decimals with a true minus sign, none before a zero. */
export function formatNumber(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** As `formatNumber`, with a plus sign before what is above zero: for differences. */
export function formatSigned(value: number, decimals: number): string {
  const text = formatNumber(value, decimals);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** A share in [0, 1] as a percentage with one decimal, `83.1 %`, with a narrow no-break space. */
export function formatPercent(share: number): string {
  return `${formatNumber(100 * share, 1)}\u202f%`;
}

/** An interval in brackets, empty where there is none: `[0.071, 0.118]`. */
export function formatInterval({ low, high }: Measured, format: (bound: number) => string): string {
  return low === undefined || high === undefined ? "" : `[${format(low)}, ${format(high)}]`;
}

/** The interval of a share in [0, 1], in percent without repeating the sign: `[77.9, 88.0]`. */
export function formatShareInterval(share: Measured): string {
  return formatInterval(share, (bound) => formatNumber(100 * bound, 1));
}

/** A p-value: two significant digits, `< 0.001` below that. */
export function formatProbability(p: number): string {
  if (p < 0.001) return "< 0.001";
  return p.toFixed(p < 0.1 ? 3 : 2);
}

/** Seconds for people: `42 s`, `8 min 05 s`, `3 h 20 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (part: number): string => String(part).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** The head of a digest, enough to tell checkpoints apart: `sha256:1f0c…` becomes `1f0c9a21b7de`. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
