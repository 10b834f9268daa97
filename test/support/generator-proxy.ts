import { RpcChannel } from "../../core/service/client.js";
import { sealedBatch } from "../../core/service/content-digest.js";
import { GeneratorServiceService } from "../../proto/gen/spin/v1/generator_service.js";
import type { DrawBatch } from "../../proto/gen/spin/v1/sampling.js";
import { startGeneratorServer } from "./generator-server.js";

/** What becomes of a batch on its way; a proxy that waits here is a slow generator, and one that makes several of it repeats itself. */
export type Distort = (batch: DrawBatch) => Promise<DrawBatch> | DrawBatch | readonly DrawBatch[];

/** A generator that passes calls on to a real one, and changes the draws on their way back. */
export async function startGeneratorProxy(
  target: { readonly address: string },
  distort: Distort,
): Promise<{ address: string; stop: () => Promise<void> }> {
  const behind = new RpcChannel(target.address);
  const { server, close } = await startGeneratorServer({
    getGenerator: (request, { signal }) => behind.call(GeneratorServiceService.getGenerator, request, { signal }),
    sampleTrajectories: async function* (request, { signal }) {
      for await (const { batch } of behind.stream(GeneratorServiceService.sampleTrajectories, request, { signal })) {
        const distorted = await distort(batch!);
        // Sealed anew: a liar, not a bad line.
        for (const one of "timesteps" in distorted ? [distorted] : distorted) yield { batch: sealedBatch(one) };
      }
    },
  });
  const stop = async () => {
    await close();
    behind.close();
  };
  return { address: `127.0.0.1:${server.port}`, stop };
}

/** The draws with the first value of one side's tensor replaced, or each value multiplied. */
export function changeTensor(
  batch: DrawBatch,
  side: "real" | "synthetic",
  name: "noisyLatents" | "target" | "referenceError",
  change: (value: number, index: number) => number,
): DrawBatch {
  const tensor = batch[side]![name]!;
  const data = Buffer.from(tensor.data);
  for (let i = 0; 4 * i < data.length; i++) data.writeFloatLE(change(data.readFloatLE(4 * i), i), 4 * i);
  return { ...batch, [side]: { ...batch[side]!, [name]: { ...tensor, data } } };
}
