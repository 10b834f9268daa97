import { SpinError } from "../../core/errors.js";

/** The SpinError that work fails with. */
export async function failure(work: Promise<unknown>): Promise<SpinError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SpinError) return error;
  throw new Error(`expected a SpinError, got ${String(error)}`);
}
