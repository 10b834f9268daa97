import { TestEnvironment } from "jest-environment-node";

/**
 * Jest runs tests in a VM context whose typed arrays are not the ones native addons were built against:
 * onnxruntime-node refuses a Float32Array of another realm. Tests get the outer realm's classes instead.
 */
const SHARED = [
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "Int8Array",
  "Int16Array",
  "Int32Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Uint16Array",
  "Uint32Array",
];

export default class OuterRealmTypedArrays extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of SHARED) this.global[name] = globalThis[name];
  }
}
