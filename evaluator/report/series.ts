/** Colours there are; see the style's `--series-0` …. A checkpoint keeps its own in tables, charts and lineage. */
export const NUM_COLOURS = 12;

/** CSS class of the i-th checkpoint. */
export function seriesClass(index: number): string {
  return `s${index % NUM_COLOURS}`;
}

/** CSS class of the checkpoint of this name; neutral for a name that was not evaluated. */
export function seriesClassOf(name: string, names: readonly string[]): string {
  const index = names.indexOf(name);
  return index < 0 ? "neutral" : seriesClass(index);
}
