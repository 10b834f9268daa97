import { DRAW_SPEC, drawBatch, xlDrawBatch } from "../../bench/fuzz/draw-batches.js";
import { SampleTrajectoriesRequest } from "../../proto/gen/spin/v1/generator_service.js";
import { DrawBatch } from "../../proto/gen/spin/v1/sampling.js";
import { checkBatchContent, checkRequestContent, sealedBatch, sealedRequest } from "./content-digest.js";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Places of the bytes in one bit of which a message may be changed on its way without being refused. */
function unseenFlips<T>(codec: Codec<T>, message: T, check: (message: T) => void): number[] {
  const sent = Buffer.from(codec.encode(message).finish());
  const passes = (bytes: Uint8Array) => {
    try {
      const read = codec.decode(bytes);
      check(read);
      return !sent.equals(codec.encode(read).finish()); // The same number may be written in more bytes than it needs.
    } catch {
      return false;
    }
  };
  return Array.from(sent.keys()).filter((at) => {
    const flipped = Buffer.from(sent);
    flipped[at]! ^= 1 << (at % 8);
    return passes(flipped);
  });
}

test.each([
  ["draws", drawBatch(3)],
  ["an SDXL model's draws", xlDrawBatch(0)],
])("%s pass as they were sent, and with no bit flipped", (_, batch) => {
  const sealed = sealedBatch(batch);
  expect(() => checkBatchContent(DrawBatch.decode(DrawBatch.encode(sealed).finish()))).not.toThrow();
  expect(unseenFlips(DrawBatch, sealed, checkBatchContent)).toEqual([]);
});

test("draws without a digest of their content are refused", () => {
  const refusal = { kind: "corrupt", message: expect.stringContaining("batch.content_digest: expected a digest") };
  expect(() => checkBatchContent(drawBatch(0))).toThrow(expect.objectContaining(refusal));
});

test("a request passes as it was sent, and with no bit flipped; it need not say what it sends", () => {
  const request = SampleTrajectoriesRequest.fromPartial({ spec: DRAW_SPEC, firstIndex: 6, numSamples: 3 });
  expect(() => checkRequestContent(request)).not.toThrow();
  const sealed = sealedRequest(request);
  expect(() => checkRequestContent(sealed)).not.toThrow();
  const check = (message: SampleTrajectoriesRequest) => {
    checkRequestContent(message);
    if (message.contentDigest === "") throw new Error("nothing but the digest was lost");
  };
  expect(unseenFlips(SampleTrajectoriesRequest, sealed, check)).toEqual([]);
});
