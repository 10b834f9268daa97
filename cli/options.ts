import { InvalidArgumentError, Option } from "commander";

/** Reads a whole number from `min` to `max`, for commander's options. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Reads a number from `min` to `max`. */
export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
  };
}

/** Reads a seed as torch takes it: 64 bits, signed or unsigned. */
export function seed(text: string): bigint {
  if (/^-?\d+$/.test(text)) {
    const value = BigInt(text);
    if (value >= -(2n ** 63n) && value < 2n ** 64n) return value;
  }
  throw new InvalidArgumentError("Expected a whole number of 64 bits.");
}

/** Makes an option repeatable: each value is read by `read` and added to those before it. */
export function collect<T>(read: (text: string) => T): (text: string, previous?: readonly T[]) => readonly T[] {
  return (text, previous = []) => [...previous, read(text)];
}

/** `--model-dir` for `modelDir`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** How long a service that is gone is waited for. @param service as "a trainer" */
export function patienceOption(service: string): Option {
  return new Option("--patience <seconds>", `how long ${service} that is gone is waited for`)
    .argParser(wholeNumber(0, 31_536_000))
    .default(600);
}
