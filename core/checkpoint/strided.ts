/**
 * A view's elements row by row: what a tensor that was saved transposed, or as every other column, looks like.
 *
 * @param span bytes from the view's first element to its last.
 * @param strides elements from one to the next along each axis.
 * @returns the elements without gaps
 */
export function gatherStrided(
  span: Uint8Array,
  shape: readonly number[],
  strides: readonly number[],
  elementBytes: number,
): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const out = new Uint8Array(count * elementBytes);
  const index = shape.map(() => 0);
  let source = 0;
  for (let i = 0; i < count; i++) {
    out.set(span.subarray(source * elementBytes, (source + 1) * elementBytes), i * elementBytes);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Bytes from a view's first element to the end of its last; 0 where it has none. */
export function stridedSpan(shape: readonly number[], strides: readonly number[], elementBytes: number): number {
  if (shape.includes(0)) return 0;
  return (shape.reduce((last, extent, axis) => last + (extent - 1) * strides[axis]!, 0) + 1) * elementBytes;
}
