import { RpcChannel } from "../../core/service/client.js";
import { GeneratorServiceService, RenderImagesRequest } from "../../proto/gen/spin/v1/generator_service.js";

/** Pictures of one call; the next call follows at once. */
const PICTURES = 64;
const BATCH = 8;
/** Of the built-in model's pictures, in pixels. */
const SIZE = 64;

/** Keeps every replica computing batch after batch. @returns a function that ends it */
export function keepBusy(addresses: readonly string[], model: string): () => Promise<void> {
  const end = new AbortController();
  const work = addresses.map(async (address) => {
    const channel = new RpcChannel(address);
    const request = RenderImagesRequest.fromPartial({
      checkpoint: { modelName: model },
      items: Array.from({ length: PICTURES }, (_, i) => ({
        caption: { $case: "prompt", value: "a red heart" },
        seed: BigInt(i),
      })),
      sampler: { numSteps: 20, guidanceScale: 2 },
      height: SIZE,
      width: SIZE,
      batchSize: BATCH,
      format: 1,
    });
    try {
      while (!end.signal.aborted) {
        const { signal } = end;
        for await (const _ of channel.stream(GeneratorServiceService.renderImages, request, { signal }));
      }
    } catch (error) {
      if (!end.signal.aborted) throw error;
    } finally {
      channel.close();
    }
  });
  const all = Promise.all(work);
  all.catch(() => undefined); // Told where it is ended.
  return async () => {
    end.abort();
    await all;
  };
}
