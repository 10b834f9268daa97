import sharp from "sharp";
import { SpinError } from "../errors.js";
import { decodeImage, encodeImage, fromTensor, pictureProblem, type RgbImage, toTensor } from "./image.js";

/** Every value of every channel, 16×16: red rises, green falls, blue jumps about. */
const IMAGE: RgbImage = {
  width: 16,
  height: 16,
  data: Uint8Array.from({ length: 768 }, (_, index) => {
    const pixel = Math.floor(index / 3);
    return [pixel, 255 - pixel, (pixel * 37) % 256][index % 3] as number;
  }),
};

describe("toTensor", () => {
  it("puts channels first and maps 0 to −1 and 255 to 1", () => {
    const tensor = toTensor({ width: 2, height: 1, data: Uint8Array.of(0, 51, 255, 255, 0, 102) });
    const expected = [-1, 1, -0.6, -1, 1, -0.2];
    expect(tensor).toHaveLength(6);
    expected.forEach((value, index) => {
      expect(tensor[index]).toBeCloseTo(value, 6);
    });
  });
});

describe("fromTensor", () => {
  it("gives back every 8-bit value", () => {
    expect(fromTensor(toTensor(IMAGE), 16, 16).data).toEqual(IMAGE.data);
  });

  it("rounds to the nearest value and clamps outside the range", () => {
    expect([...fromTensor(Float32Array.of(-3, 0.2, 7), 1, 1).data]).toEqual([0, 153, 255]);
    expect([...fromTensor(Float32Array.of(-3, 0.2, 0.999), 1, 1, "unit").data]).toEqual([0, 51, 255]);
  });

  it("refuses a tensor of another size", () => {
    expect(() => fromTensor(new Float32Array(12), 2, 3)).toThrow("[3, 3, 2] has 18 elements, not 12");
  });

  it("refuses what is not a number", () => {
    expect(() => fromTensor(Float32Array.of(0, Number.NaN, 0), 1, 1)).toThrow("not a number (channel 1, pixel 0)");
  });
});

describe("encodeImage and decodeImage", () => {
  it.each(["png", "webp"] as const)("keep every bit in %s", async (format) => {
    const bytes = await encodeImage(IMAGE, format);
    expect((await sharp(bytes).metadata()).format).toBe(format);
    const decoded = await decodeImage(bytes);
    expect([decoded.width, decoded.height]).toEqual([16, 16]);
    expect(Uint8Array.from(decoded.data)).toEqual(IMAGE.data);
  });

  it("show transparent parts in the file's own colour and grey pictures in three channels", async () => {
    const clear = { r: 200, g: 0, b: 10, alpha: 0 };
    const transparent = await sharp({ create: { width: 2, height: 2, channels: 4, background: clear } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(transparent)).data]).toEqual([200, 0, 10, 200, 0, 10, 200, 0, 10, 200, 0, 10]);
    const grey = await sharp(Buffer.from([7, 9]), { raw: { width: 2, height: 1, channels: 1 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(grey)).data]).toEqual([7, 7, 7, 9, 9, 9]);
  });

  it("turn a picture as its camera was held", async () => {
    const upright = await sharp({ create: { width: 2, height: 4, channels: 3, background: "red" } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { width, height } = await decodeImage(upright);
    expect([width, height]).toEqual([4, 2]);
  });

  it("refuse bytes that are no picture, and a truncated one", async () => {
    const png = await encodeImage(IMAGE);
    for (const bytes of [new Uint8Array(0), Buffer.from("hello"), png.subarray(0, png.length / 2)]) {
      const error: unknown = await decodeImage(bytes, "train.parquet row 7").catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(SpinError);
      expect((error as SpinError).kind).toBe("corrupt");
      expect((error as SpinError).message).toMatch(
        /^train\.parquet row 7: not a readable picture \(.+\); replace the picture/,
      );
      expect(await pictureProblem(bytes)).toMatch(/^not a readable picture/);
    }
  });

  it("find a damaged picture without computing all of it, and none in a whole one", async () => {
    const noise = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * 7919) % 251);
    const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    expect(await pictureProblem(jpeg)).toBeUndefined();
    expect(await pictureProblem(jpeg.subarray(0, jpeg.length - 200))).toMatch(/not a readable picture/);
  });
});
