import { SpinError } from "../errors.js";
import { emitModel } from "../graph/onnx.js";
import * as ops from "../graph/ops/index.js";
import { Session, type SessionOptions } from "../graph/session.js";

/**
 * Runs a sum on an execution provider.
 * @throws SpinError `precondition` where the provider does not load or compute here.
 */
export async function checkDevice(device: NonNullable<SessionOptions["device"]>): Promise<void> {
  try {
    const session = await Session.create(emitModel({ sum: ops.add(ops.input("x", [1]), 1) }), { device });
    const { sum } = await session.run({ x: Float32Array.of(1) });
    await session.release();
    if (sum![0] !== 2) throw new SpinError("internal", `1 + 1 came out as ${sum![0]}`);
  } catch (cause) {
    throw new SpinError(
      "precondition",
      `the execution provider "${device}" does not work: ${(cause as Error).message}`,
      {
        field: "DEVICE",
        remedy: "install its libraries and driver, or set DEVICE to cpu",
        cause,
      },
    );
  }
}
