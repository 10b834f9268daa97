import { type Device, parseDevice } from "../graph/device.js";
import { checkDevice } from "./check-device.js";

/** `node probe-device.js DEVICE`: ends with 0 where the device computes a sum, else says why on standard error and ends with 1. */
const device: Device | undefined = parseDevice(process.argv[2] ?? "");
try {
  if (device === undefined) throw new Error("usage: node probe-device.js DEVICE");
  await checkDevice(device);
} catch (error) {
  process.stderr.write(`probe: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
