/** A linear map from data to drawing units, with round ticks inside its domain. */
export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  /** A tick's text, all with as many decimals as the step needs. */
  readonly format: (tick: number) => string;
}

/**
 * A scale whose domain is widened to whole ticks.
 * @param domain smallest and largest value; equal ones are widened to a domain around them.
 * @param range where they go in drawing units; may run backwards, as y does in SVG.
 * @param count about as many ticks.
 */
export function niceScale(domain: readonly [number, number], range: readonly [number, number], count: number): Scale {
  const [low, high] = domain[0] === domain[1] ? padded(domain[0]) : domain;
  const step = niceStep((high - low) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return withTicks([first * step, last * step], range, ticks, step);
}

/** A scale that keeps its domain exactly, with the round ticks that fall inside: for steps, which begin and end where they do. */
export function exactScale(domain: readonly [number, number], range: readonly [number, number], count: number): Scale {
  const [low, high] = domain[0] === domain[1] ? padded(domain[0]) : domain;
  const step = niceStep((high - low) / count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return withTicks([low, high], range, ticks, step);
}

function withTicks(
  domain: readonly [number, number],
  range: readonly [number, number],
  ticks: readonly number[],
  step: number,
): Scale {
  const scale = (value: number): number =>
    range[0] + ((value - domain[0]) / (domain[1] - domain[0])) * (range[1] - range[0]);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const format = (tick: number): string => {
    const text = Math.abs(tick).toFixed(decimals);
    return tick < 0 && Number(text) !== 0 ? `−${text}` : text;
  };
  return Object.assign(scale, { domain, ticks, format });
}

/** The smallest of 1, 2, 5 × a power of ten that is no less than `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function padded(value: number): [number, number] {
  const margin = value === 0 ? 1 : Math.abs(value) / 2;
  return [value - margin, value + margin];
}
