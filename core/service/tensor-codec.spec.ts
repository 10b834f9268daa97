import { DataType, Tensor } from "../../proto/gen/spin/v1/tensor.js";
import { decodeFloat32, decodeInt32, decodeUint8, encodeTensor } from "./tensor-codec.js";

const travel = (tensor: Tensor) => Tensor.decode(Tensor.encode(tensor).finish());
const invalid = (message: string) =>
  expect.objectContaining({ kind: "invalid", message: expect.stringContaining(message) });

describe("a tensor that travels", () => {
  it("keeps type, shape and every bit", () => {
    const floats = new Float32Array([1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 3.4e38]);
    const { shape, data } = decodeFloat32(travel(encodeTensor([2, 3], floats)), "x");
    expect(shape).toEqual([2, 3]);
    expect(Buffer.from(data.buffer)).toEqual(Buffer.from(floats.buffer));
    expect(decodeInt32(travel(encodeTensor([3], new Int32Array([-1, 0, 2 ** 31 - 1]))), "t").data).toEqual(
      new Int32Array([-1, 0, 2 ** 31 - 1]),
    );
    expect(decodeUint8(travel(encodeTensor([2], new Uint8Array([0, 255]))), "p").data).toEqual(
      new Uint8Array([0, 255]),
    );
  });

  it("is little-endian on the wire", () => {
    expect([...encodeTensor([], new Float32Array([1])).data]).toEqual([0, 0, 0x80, 0x3f]);
  });

  it("encodes only the array's own part of its buffer", () => {
    const part = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    expect([...decodeFloat32(travel(encodeTensor([2], part)), "x").data]).toEqual([2, 3]);
  });

  it("owns its memory when decoded: it can be handed over, and the message does not change it", () => {
    const tensor = travel(encodeTensor([1], new Float32Array([7])));
    const { data } = decodeFloat32(tensor, "x");
    tensor.data.fill(0);
    expect(data[0]).toBe(7);
    expect(data.byteOffset).toBe(0);
    expect(data.buffer.byteLength).toBe(4);
  });

  it("may have no elements", () => {
    expect(decodeFloat32(travel(encodeTensor([0, 4], new Float32Array())), "x").data).toHaveLength(0);
  });
});

describe("a tensor that is not what it claims", () => {
  const tensor = (dtype: DataType, shape: number[], bytes: number): Tensor => ({
    dtype,
    shape,
    data: Buffer.alloc(bytes),
  });
  const FLOAT32 = DataType.DATA_TYPE_FLOAT32;

  it.each([
    ["none at all", undefined, "batch.x: expected a tensor of type DATA_TYPE_FLOAT32, got none"],
    [
      "another type",
      tensor(DataType.DATA_TYPE_INT32, [1], 4),
      "batch.x.dtype: expected DATA_TYPE_FLOAT32, got DATA_TYPE_INT32",
    ],
    ["an unknown type", tensor(99 as DataType, [1], 4), "batch.x.dtype: expected DATA_TYPE_FLOAT32, got 99"],
    ["too few bytes", tensor(FLOAT32, [2, 2], 15), "batch.x.data: expected 16 bytes for shape [2, 2], got 15"],
    ["too many bytes", tensor(FLOAT32, [2, 2], 20), "batch.x.data: expected 16 bytes for shape [2, 2], got 20"],
    ["a huge shape", tensor(FLOAT32, [4294967295, 4294967295, 4294967295], 4), "batch.x.data: expected 3"],
    [
      "too many dimensions",
      tensor(FLOAT32, Array<number>(9).fill(1), 4),
      "batch.x.shape: expected at most 8 dimensions, got 9",
    ],
  ])("is refused: %s", (_, bad, message) => {
    expect(() => decodeFloat32(bad, "batch.x")).toThrow(invalid(message));
  });

  it("is refused where the receiver expects another shape", () => {
    const good = tensor(FLOAT32, [2, 4, 8, 8], 2048);
    expect(decodeFloat32(good, "x", [2, undefined, 8, 8]).shape).toEqual([2, 4, 8, 8]);
    expect(() => decodeFloat32(good, "x", [2, 4, 8, 16])).toThrow(
      invalid("x.shape: expected [2, 4, 8, 16], got [2, 4, 8, 8]"),
    );
    expect(() => decodeFloat32(good, "x", [2, 4, undefined])).toThrow(invalid("x.shape: expected [2, 4, any]"));
  });

  it("cannot be encoded", () => {
    expect(() => encodeTensor([2, 2], new Float32Array(3))).toThrow("has 4 elements, not 3");
  });
});
