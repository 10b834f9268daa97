import { SpinError } from "../errors.js";
import type { Device } from "../graph/device.js";
import { emitModel } from "../graph/onnx.js";
import * as ops from "../graph/ops/index.js";
import { Session } from "../graph/session.js";

/**
 * Runs a sum on a device, in this process; `requireDevice` does it in another, which a driver's crash does not take along.
 * @throws SpinError as `Session.create`, "internal" for a wrong sum
 */
export async function checkDevice(device: Device): Promise<void> {
  const session = await Session.create(emitModel({ sum: ops.add(ops.input("x", [1]), 1) }), { device });
  const { sum } = await session.run({ x: Float32Array.of(1) });
  await session.release();
  if (sum![0] !== 2) throw new SpinError("internal", `1 + 1 came out as ${sum![0]}`);
}
